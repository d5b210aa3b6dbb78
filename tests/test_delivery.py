"""What a run leaves behind is listed, can be verified, and is sent only when it can be traced."""

import csv
import hashlib
import json
import re
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from basket.checks.verify import verify_files, verify_findings
from basket.project.errors import BasketError
from basket.project.folders import Folders
from basket.project.stages import graph
from checkout import SMALL, hashes, make, run_command
from in_process import run_notebook


def test_the_manifest_holds_all_that_went_in_and_came_out(checkout):
    """Every hash and count of rows is computed again from the files themselves."""
    manifest = json.loads((checkout / "04_analysis" / "manifest.json").read_text())
    data = next((checkout / "02_data" / "prepared_data" / "generated_data").glob("scale_*"))
    received = {
        "raw_customers": "customers.csv",
        "raw_lines": "orders_products_prior.csv",
        "raw_orders": "orders.csv",
        "raw_products": "products.csv",
    }
    assert manifest["data"]["files"].keys() == {*received.values(), "departments.csv"}
    for name, file in manifest["data"]["files"].items():
        content = (data / name).read_bytes()
        assert file == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    for table, name in received.items():
        rows = len(pd.read_csv(data / name, dtype=str))
        assert manifest["received"][table] == rows
        set_aside = checkout / "02_data" / "prepared_data" / "quarantine" / f"{table}.parquet"
        quarantined = pq.read_metadata(set_aside).num_rows if set_aside.exists() else 0
        assert manifest["quarantined"][table] == quarantined

    built_files = {
        name: digest
        for folder in ("02_data/prepared_data", "04_analysis", "05_sent_to_client")
        for path, digest in hashes(checkout / folder).items()
        if not (name := f"{folder}/{path}").endswith((".done.json", ".usage.json", ".md"))
        and "/." not in name
        and "generated_data" not in name
        and not name.startswith("04_analysis/example/")  # of another report, committed
        and name != "04_analysis/manifest.json"
    }
    assert {name: file["sha256"] for name, file in manifest["files"].items()} == built_files
    counted = 0
    for name, file in manifest["files"].items():
        path = checkout / name
        assert file["bytes"] == path.stat().st_size
        if path.suffix == ".parquet" and path.parent.name != "quarantine":
            assert file["rows"] == pq.read_metadata(path).num_rows
            assert manifest["tables"][path.parent.name]["rows"] == file["rows"]  # one part
        elif path.suffix == ".csv":
            assert file["rows"] == len(pd.read_csv(path, dtype=str))
        else:
            continue
        counted += 1
    tables = [name for step in graph().values() for name in step.makes]
    assert manifest["tables"].keys() <= set(tables) and len(manifest["tables"]) >= 14
    results = list((checkout / "04_analysis" / "tables").glob("*.csv"))
    assert counted == len(manifest["tables"]) + len(results)

    lock = (checkout / "requirements.lock").read_bytes()
    assert manifest["lock_sha256"] == hashlib.sha256(lock).hexdigest()
    settings = yaml.safe_load((checkout / "settings.yml").read_text())
    assert manifest["parameters"]["rules"] == manifest["rules"] == "corrected"
    for section in ("thresholds", "labels", "rules", "statistics", "privacy"):
        assert manifest["parameters"]["settings"][section].items() >= settings[section].items()
    assert manifest["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"commit", "dirty", "versions", "fingerprints", "seconds"} <= manifest.keys()


def test_verify_names_a_file_that_was_changed_removed_or_added(checkout):
    """Each kind of built file, by one byte."""
    folders = Folders(checkout)
    manifest = json.loads((checkout / "04_analysis" / "manifest.json").read_text())
    assert verify_files(folders) == len(manifest["files"])
    kinds = {(Path(name).parent.parent.name, Path(name).suffix): name for name in manifest["files"]}
    assert len(kinds) >= 9
    for name in kinds.values():
        path = checkout / name
        good = path.read_bytes()
        path.write_bytes(good[:-9] + bytes([good[-9] ^ 1]) + good[-8:] if len(good) > 9 else b"")
        with pytest.raises(BasketError, match=re.escape(f"{name}: has sha256 ")):
            verify_files(folders)
        path.unlink()
        with pytest.raises(BasketError, match=re.escape(f"{name}: is missing; ")):
            verify_files(folders)
        path.write_bytes(good)
        if path.parent.name == "05_sent_to_client":
            continue  # where earlier copies and the log lie as well
        added = path.with_name(f"zz_added{path.suffix}")
        added.write_bytes(good)
        with pytest.raises(BasketError, match=r"zz_added\..*: is not in the manifest"):
            verify_files(folders)
        added.unlink()
    assert verify_files(folders) == len(manifest["files"])
    assert "verified:" in make(checkout, "verify").stdout
    done = make(checkout, "verify", "PUBLISHED=1")
    assert done.returncode == 2
    assert "these data are not: they are generated" in done.stderr.splitlines()[0]


@pytest.mark.slow
def test_verify_names_each_number_that_differs_from_its_table(checkout, tmp_path, monkeypatch):
    """Each number of the findings is changed, then the table cell that it names."""
    folders = Folders(checkout)
    path = checkout / "04_analysis" / "findings.json"
    good = path.read_text(encoding="utf-8")
    count = verify_findings(folders)
    assert count > 40
    findings, changed = json.loads(good), 0
    try:
        for finding in findings:
            for name, number in finding["numbers"].items():
                value = number["value"]
                number["value"] = f"not {value}" if isinstance(value, str) else value + 0.001
                path.write_text(json.dumps([finding]), encoding="utf-8")
                with pytest.raises(BasketError, match=re.escape(f"{finding['id']}: {name} is")):
                    verify_findings(folders)
                number["value"] = value
                changed += 1
        assert changed == count
        findings[0]["headline"] += " and 77.7% more"
        path.write_text(json.dumps(findings), encoding="utf-8")
        with pytest.raises(BasketError, match=r"the headline says 77\.7"):
            verify_findings(folders)
        monkeypatch.setenv("BASKET_OUT", str(checkout))
        monkeypatch.setenv("BASKET_BUILDING", str(tmp_path))
        with pytest.raises(BasketError, match=r"the headline says 77\.7"):
            run_notebook("06_report")
        assert not any(tmp_path.iterdir()), "no workbook is written with a number that has no table"
    finally:
        path.write_text(good, encoding="utf-8")

    for finding in json.loads(good):
        path.write_text(json.dumps([finding]), encoding="utf-8")
        for number in finding["numbers"].values():
            table = checkout / "04_analysis" / "tables" / f"{number['table']}.csv"
            as_built = table.read_bytes()
            change_cell(table, number["where"])
            with pytest.raises(BasketError, match=f"^(findings.json|{table.name}): "):
                verify_findings(folders)
            table.write_bytes(as_built)
    path.write_text(good, encoding="utf-8")
    assert verify_findings(folders) == count


def change_cell(table: Path, where: dict[str, str]) -> None:
    """Change one cell of a result table: the one that a finding's number names."""
    with table.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    keys = {header.index(key): str(value) for key, value in where.items() if key != "column"}

    def same(cell: str, value: str) -> bool:
        try:
            return float(cell) == float(value)
        except ValueError:
            return cell == value

    (row,) = [row for row in rows if all(same(row[at], value) for at, value in keys.items())]
    at = header.index(where["column"])
    row[at] += "9" if row[at] else "1"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    assert run_command("git", *who, *arguments, folder=folder).returncode == 0


@pytest.mark.slow
def test_send_copies_logs_and_refuses_what_cannot_be_traced(checkout):
    def send(*options: str):
        return make(checkout, "send", *options)

    refused = send("TO=the client")
    assert refused.returncode == 2 and "not under version control" in refused.stderr
    git(checkout, "init", "--quiet")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "all of it")
    assert "another commit" in send("TO=the client").stderr
    assert make(checkout, "report", f"SCALE={SMALL}").returncode == 0
    assert "SYNTHETIC DATA" in send("TO=the client").stderr

    assert "nobody to send to" in send("ALLOW_SYNTHETIC=1").stderr
    for _ in range(2):  # sending again, and what was sent before, are no obstacle
        done = send("TO=the client | marketing", "ALLOW_SYNTHETIC=1")
        assert done.returncode == 0, done.stderr
    sent = sorted((checkout / "05_sent_to_client").glob("20*_instacart_final_report.xlsx"))
    assert len(sent) == 1
    digest = hashlib.sha256(sent[0].read_bytes()).hexdigest()
    rows = (checkout / "05_sent_to_client" / "log.md").read_text().splitlines()[-2:]
    assert all(digest in row and "the client / marketing" in row for row in rows)

    table = checkout / "04_analysis" / "tables" / "habits.csv"
    good = table.read_bytes()
    table.write_bytes(good + b"x")
    assert "habits.csv" in send("TO=x", "ALLOW_SYNTHETIC=1").stderr
    table.write_bytes(good)
    (checkout / "settings.yml").open("a").write("# changed\n")
    assert "changed since the last commit" in send("TO=x", "ALLOW_SYNTHETIC=1").stderr
