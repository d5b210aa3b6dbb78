"""The two homes of facts: settings that name the key at fault, a dictionary that binds tables."""

import re
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from basket import command
from basket.analysis import questions
from basket.checks import verify
from basket.project import dictionary, stages
from basket.project.errors import BasketError, SettingsError
from basket.project.settings import load_settings
from basket.project.stages import graph
from basket.tables.result_csv import read_csv, to_csv
from basket.tables.store import column_to_arrow, conforming, read_part, to_pandas
from conftest import SETTINGS_FILE, cut_at, write_settings

SETTINGS = load_settings(SETTINGS_FILE)
GAP = "days_since_prior_order"
MEDIAN = "median_days_between_orders"  # of whole days, and of halves between two of them
NOT_TABLES = {"tables", "visualizations", "findings", "report"}
ON_REQUEST = {"flat_lines"}  # written by `basket flat`, not by a stage


# ---- settings -----------------------------------------------------------------------------------


def refused(path) -> str:
    """Load bad settings; give what the error says, which is one line that begins with the file."""
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    said = str(error.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    assert len(said) < 400
    return said.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("thresholds.busiest_hour", 8, "unknown key"),
        ("flags.loyalty_flag.band", {}, "unknown key"),
        ("colours", {}, "unknown key"),
        ("rules.careful", {}, "unknown key"),
        ("flags.loyalty_flag.of", "lorry", "Input should be 'product', 'order' or 'customer'"),
        ("flags.loyalty_flag.question", "6", "String should match"),
        ("flags.loyalty_flag.from", None, "Input should be a valid string"),
        ("thresholds.price_ceiling_dollars", -1, "Input should be greater"),
        ("thresholds.price_ceiling_dollars", float("inf"), "Input should be a finite number"),
        ("thresholds.price_ceiling_dollars", float("nan"), "Input should be "),
        ("thresholds.busiest_days", 4, "Input should be less than or equal"),
        ("thresholds.busiest_hours", 13, "Input should be less than or equal"),
        ("rules.course.rank_busiest_by", "rows", "Input should be 'orders' or 'lines'"),
        ("rules.corrected.repair_product_ids", "perhaps", "Input should be a valid boolean"),
        ("limits.max_quarantined_share", 1.5, "Input should be less"),
        ("limits.lines_per_part", 0, "Input should be greater than 0"),
        *(
            (f"statistics.{key}", value, f"Input should be {said} than {end}")
            for key in ("confidence", "significance", "power")
            for value, said, end in [(0, "greater", 0), (1, "less", 1)]
        ),
        ("report.title", "\ud800", "Input should be a valid string, unable to parse raw data as"),
        ("flags.gender.unit", "\udcff", "Input should be a valid string, unable to parse raw da"),
        ("labels.missing", "x" * 1001, "String should have at most 1000 characters, found 'xxx"),
        ("statistics.income_bands", 101, "Input should be less than or equal to 100"),
        ("limits.memory_share", 0, "Input should be greater than 0"),
        ("day_names", ["Mon"] * 6, "List should have at least 7 items"),
        ("palette.ink", "black", "String should match pattern"),
        ("statistics.effects.cramers_v", [0.3, 0.1, 0.5], "each number must be above the"),
        ("waking_hours", [22, 7], "the first hour must not be after the last, found [22, 7]"),
        ("dayparts.Evening", [23, 18], "the first hour must not be after the last"),
    ],
)
def test_a_bad_value_is_named_by_its_key(tmp_path, key, value, said):
    assert refused(write_settings(tmp_path / "s.yml", {key: value})).startswith(f"{key}: {said}")


@pytest.mark.parametrize(
    ("measure", "steps", "place", "said"),
    [
        ("cramers_v", [0.1, 3, 5], 1, "less than or equal to 1, found 3"),
        ("epsilon_squared", [0, 0.1, 0.2], 0, "greater than 0, found 0"),
        ("cliffs_delta", [0.1, 0.2, 1.1], 2, "less than or equal to 1, found 1.1"),
        ("ratio", [1, 1.1, 1.2], 0, "greater than 1, found 1"),
    ],
)
def test_the_steps_of_an_effect_lie_where_the_effect_can(tmp_path, measure, steps, place, said):
    key = f"statistics.effects.{measure}"
    found = refused(write_settings(tmp_path / "s.yml", {key: steps}))
    assert found == f"{key}.{place}: Input should be {said}"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("loyalty_flag.unit", "", "loyalty_flag: bands need the unit"),
        ("loyalty_flag.ranks", list("abc"), "loyalty_flag: a flag has bands"),
        ("busiest_day.ranks", list("aba"), "busiest_day: ranks must be"),
        ("region.gathers.West", ["Ohio"], "region: gathers must have each value once"),
    ],
)
def test_a_flag_that_contradicts_itself_is_named(tmp_path, key, value, said):
    found = refused(write_settings(tmp_path / "s.yml", {f"flags.{key}": value}))
    assert found.startswith(f"flags.{said}")


NO_BOUND = "is no bound; expected `up to 10` or `below 10`, and for the last label `above` or"
ONE_FORM = "all labels but the last need bounds of one form"
RISE = "must be below Some (up to 4): bounds must rise"


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        ({"Few": "forty", "Many": "above"}, f"Few: 'forty' {NO_BOUND}"),
        ({"Few": "up to -4", "Many": "above"}, f"Few: 'up to -4' {NO_BOUND}"),
        ({"Few": "up to 4", "Many": "more"}, f"Many: 'more' {NO_BOUND}"),
        ({"Few": "up to 4"}, "one band alone divides nothing; expected two or more"),
        ({"Few": "above", "Many": "above"}, ONE_FORM),
        ({"Few": "up to 4", "Some": "below 9", "Many": "above"}, ONE_FORM),
        ({"Few": "up to 4", "Many": "up to 9"}, "Many: the last label must say `above 4`, not"),
        ({"Few": "below 4", "Many": "above 4"}, "Many: the last label must say `from 4`, not"),
        ({"Few": "below 4", "Many": "from 5"}, "Many: the last label must say `from 4`, not"),
        ({"Few": "below 0", "Many": "from 0"}, "Few: nothing is below 0"),
        (
            {"Few": f"up to {10**9}", "Many": "above"},
            "Few: 'up to 1000000000' is too large or too exact; expected a bound below 1,000,000,0",
        ),
        ({"Few": f"up to {'9' * 500}", "Many": "above"}, "Few: 'up to 9999999999999999999999"),
        ({"Few": "up to 0.33333", "Many": "above"}, "Few: 'up to 0.33333' is too large or too"),
        ({"Few": "up to 4", "Some": "up to 4", "Many": "above"}, f"Few (up to 4) {RISE}"),
        ({"Few": "up to 9", "Some": "up to 4", "Many": "above"}, f"Few (up to 9) {RISE}"),
    ],
)
def test_bands_that_do_not_hold_together_are_refused_with_their_labels(tmp_path, bands, said):
    found = refused(write_settings(tmp_path / "s.yml", {"flags.frequency_flag.bands": bands}))
    assert found.startswith(f"flags.frequency_flag.bands: {said}")


@pytest.mark.parametrize(
    ("source", "bands", "label", "expected"),
    [
        ("age", {"18-39": "below 40", "40-64": "below 60", "65+": "from 60"}, "40-64", "40-59"),
        ("age", {"18-39": "below 40", "40+": "below 60", "65+": "from 60"}, "65+", "60+"),
        ("age", {"18-39": "below 41", "Older": "from 41"}, "18-39", "18-40"),
        ("age", {"0-39": "up to 40", "40 or more": "above"}, "0-39", "0-40"),
        ("age", {"Under 40": "below 40", "Over 40": "from 40"}, "Over 40", "Over 39"),
        ("age", {"Up to 30": "up to 40", "More": "above"}, "Up to 30", "Up to 40"),
        ("income", {"0-9,999": "below 20000", "Rich": "from 20000"}, "0-9,999", "0-19,999"),
        ("spend_cents", {"$0-49": "below 60", "More": "from 60"}, "$0-49", "$0-60"),
        (MEDIAN, {"Few": "up to 10", "11-20": "up to 20", "More": "above"}, "11-20", "10-20"),
        (MEDIAN, {"0-39 days": "below 40", "More": "from 40"}, "0-39 days", "0-40 days"),
        (MEDIAN, {"Under 40": "below 40", "Over 39": "from"}, "Over 39", "Over 40"),
    ],
)
def test_a_label_that_states_a_number_must_agree_with_its_bounds(
    tmp_path, source, bands, label, expected
):
    change = {"flags.frequency_flag.from": source, "flags.frequency_flag.bands": bands}
    assert refused(write_settings(tmp_path / "s.yml", change)) == (
        f"flags.frequency_flag: the label {label} states another number than its "
        f"bounds ({bands[label]}): it should say {expected}"
    )


@pytest.mark.parametrize(
    ("source", "bands"),
    [
        ("age", {"18-39": "below 40", "40-64": "below 65", "65+": "from 65"}),
        ("age", {"0-40": "up to 40", "41+": "above 40"}),
        ("age", {"Under 40": "below 40", "Over 39": "from"}),
        ("max_order", {"Up to 10 orders": "up to 10", "Over 10 orders": "above"}),
        ("age", {"Up to 39": "below 40", "40 or more": "from 40"}),
        ("age", {"None": "up to 0", "Some": "above"}),
        (MEDIAN, {"Up to 10": "up to 10", "10-20 days": "up to 20", "Over 20": "above"}),
    ],
)
def test_a_label_that_agrees_with_its_bounds_is_accepted(tmp_path, source, bands):
    change = {"flags.frequency_flag.from": source, "flags.frequency_flag.bands": bands}
    file = write_settings(tmp_path / "s.yml", change)
    assert load_settings(file).flags["frequency_flag"].labels == list(bands)


def test_with_another_bound_nobody_of_62_is_called_65_or_older(tmp_path):
    flag = SETTINGS.flags["age_group"]
    assert flag.bands_at([40, 60]) == {"18-39": "below 40", "40-59": "below 60", "60+": "from 60"}


FLAG = SETTINGS.model_dump()["flags"]["loyalty_flag"]
LATE = {"of": "order", "from": "order_hour", "ranks": list("abc")}
REGIONAL = {"flags.spending_flag": {"of": "customer", "from": "region", "gathers": {"a": ["b"]}}}
SURPLUS = {"flags.basket_size": FLAG | {"source": "lines / orders"}}
SPEND = {"flags.spend_cents": FLAG}
LABELLED = {"flags.gender": FLAG}
PRODUCTS = "price_range.from: found 'lines', expected price_cents"
NUMBERS = "expected one of age, n_dependants, income, orders, lines, priced_lines, spend_cents, "
NAMELESS = "found an empty label, expected a name"
RANKS = "expected ranks in busiest_day, busiest_days, busiest_period_of_day alone"
MISSING_AS_LABEL = {"flags.spending_flag.bands": {"(missing)": "below 5", "b": "from"}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut_at("price_range", 5, 100), "price_range must end below thresholds.price_ceiling_doll"),
        ({"flags.price_range.bands": {"a": "below 5", "b": "from"}}, "price_range must have 3 lab"),
        (MISSING_AS_LABEL, "spending_flag: (missing) is the label for missing"),
        (
            {"flags.spending_flag.bands": {" ": "below 5", "b": "from"}},
            f"spending_flag: {NAMELESS}",
        ),
        ({"flags.region.gathers": {"": ["Ohio"]}}, f"region: {NAMELESS}"),
        ({"flags.spending_flag.bands": {}}, "spending_flag: found no labels, expected bands or"),
        (
            {"flags.spending_flag.ranks": list("abc"), "flags.spending_flag.bands": {}},
            f"spending_flag: {RANKS}",
        ),
        ({"flags.busiest_day.ranks": []}, "busiest_day must have 3 labels, found 0"),
        (
            {"flags.busiest_day": FLAG | {"of": "order", "source": "order_day"}},
            f"busiest_day: {RANKS}",
        ),
        ({"flags.price_range.from": "lines"}, PRODUCTS),
        *(
            (
                {"flags.spending_flag.from": source},
                f"spending_flag.from: found {source!r}, {NUMBERS}",
            )
            for source in (
                "",
                "shoe_size",
                "state",
                "user_id",
                "lines orders",
                "lines / orders / age",
            )
        ),
        (
            REGIONAL,
            "spending_flag.from: found 'region', expected one of gender, state, family_stat",
        ),
        ({"flags.late": LATE}, f"late: {RANKS}"),
        (
            SURPLUS,
            "basket_size: data_dictionary.csv has no column basket_size of analysis_customers",
        ),
        (
            SPEND,
            "spend_cents: data_dictionary.csv has another column spend_cents: found int64 from ",
        ),
        (LABELLED, "gender.from: found 'max_order', expected gender"),
        (
            {"flags.age": {"of": "customer", "from": "age"}},
            "age: expected customers as the key of a",
        ),
    ],
)
def test_flags_that_do_not_fit_the_rest_are_refused(tmp_path, change, said):
    found = refused(write_settings(tmp_path / "s.yml", change))
    assert found.startswith(f"flags.{said}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {
                "flags.rhythm.bands": {"X": "up to 8", "X a": "above"},
                "flags.basket.bands": {"A b": "below 7", "B": "from"},
            },
            "flags.segment: two of its labels would be 'X a b'; they are put together from those "
            "of flags.rhythm, flags.basket: rename one there",
        ),
        (
            {"flags.income_group.bands": {"Low": "below 50000", "low": "from"}},
            "flags.profile: two of its labels would be '18-39, no dependants, low'; they are put",
        ),
        ({"labels.missing": "Weekly top-up"}, "flags.segment: two of its labels would be 'Weekly"),
    ],
)
def test_labels_that_are_put_together_must_differ(tmp_path, change, said):
    assert refused(write_settings(tmp_path / "s.yml", change)).startswith(said)


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [
        ("flags", "loyalty_flag", "flags.loyalty_flag is missing; the analysis needs a flag of th"),
        ("flags", "spending_flag", "flags.spending_flag is missing, but data_dictionary.csv descr"),
        (
            "flags",
            "family_status",
            "flags.family_status is missing; the analysis needs a flag of t",
        ),
        ("thresholds", "busiest_hours", "thresholds.busiest_hours: Field required"),
    ],
)
def test_a_missing_key_is_named(tmp_path, section, key, said):
    content = yaml.safe_load(SETTINGS_FILE.read_text(encoding="utf-8"))
    del content[section][key]
    path = tmp_path / "s.yml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    assert refused(path).startswith(said)


def test_a_label_that_occurs_twice_is_refused(tmp_path):
    text = SETTINGS_FILE.read_text(encoding="utf-8")
    path = tmp_path / "s.yml"
    path.write_text(text.replace("Regular customer: up to 40", "New customer: up to 40"))
    key = "flags.loyalty_flag.bands.New customer"
    assert refused(path) == f"{key}: found this key twice, expected it once"


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{inner}'] * 10)}]\n" for inner, name in pairwise("abcdefghi")
)


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


ATTACKS = {  # on a settings file: what is appended, or what becomes of it; what is said
    "a second rule of privacy": (
        lambda text: f"{text}\nprivacy: {{smallest_group: 20}}\n",
        "privacy: found this key twice",
    ),
    "no rule of privacy": (
        lambda text: changed(text, "smallest_group: 11", "smallest_group: 10"),
        "privacy.smallest_group: Input should be greater than or equal to 11, found 10",
    ),
    "a value of 10^9 aliases": (
        lambda text: BOMB + changed(text, "\n  title: ", "\n  title: *i #"),
        "report.title: Input should be a valid string, found [[[...]",
    ),
    "deep lists": (lambda _: "[" * 5_000 + "]" * 5_000, "is nested too deeply"),
    "deep keys": (lambda _: "a: " + "{a: " * 5_000, "is nested too deeply"),
    "400 digits": (
        lambda text: changed(text, "seed: 20170501", f"seed: {'9' * 400}"),
        "seed: Input should be less than 4294967296, found 999",
    ),
    "5,000 digits": (
        lambda text: changed(text, "seed: 20170501", f"seed: {'9' * 5_000}"),
        "is not valid YAML: Exceeds the limit",
    ),
    "a day that is none": (
        lambda text: changed(text, "seed: 20170501", "seed: 2017-99-99"),
        "is not valid YAML: month must be in 1..12",
    ),
    "a type without a value": (
        lambda text: changed(text, "seed: 20170501", "seed: !!int ''"),
        "is not valid YAML: ",
    ),
    "an object of Python": (
        lambda text: changed(text, "seed: 20170501", "seed: !!python/object/apply:os.getcwd []"),
        "is not valid YAML: could not determine a constructor",
    ),
    "a large file": (lambda text: text + "#" * 2**20, "is larger than 1,048,576 bytes"),
    "a long key": (lambda text: f"{text}\n{'k' * 900}: 1\n", "kkkk"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_settings_are_refused_at_once_in_one_short_line(tmp_path, attack):
    change, said = ATTACKS[attack]
    path = tmp_path / "s.yml"
    path.write_text(change(SETTINGS_FILE.read_text(encoding="utf-8")), encoding="utf-8")
    begun = time.perf_counter()
    found = refused(path)
    assert time.perf_counter() - begun < 5
    assert found.startswith(said)


def test_endless_settings_are_refused():
    with pytest.raises(SettingsError, match=r"^/dev/zero: is larger than 1,048,576 bytes"):
        load_settings(Path("/dev/zero"))


def test_a_question_that_nobody_asks_is_refused(tmp_path):
    settings = load_settings(write_settings(tmp_path / "s.yml", {"flags.gender.question": "Q99"}))
    with pytest.raises(SettingsError, match=r"s.yml: flags.gender.question: found Q99, expected "):
        questions.require_known(settings.flags, tmp_path / "s.yml")


@pytest.mark.parametrize(
    ("dayparts", "is_whole"),
    [
        ({"Day": [0, 11], "Evening": [12, 23]}, True),
        ({"Day": [0, 11], "Evening": [13, 23]}, False),  # 12 belongs to none
        ({"Day": [0, 12], "Evening": [12, 23]}, False),  # 12 belongs to both
        ({"Day": [6, 23], "Night": [0, 4]}, False),
    ],
)
def test_dayparts_must_hold_every_hour_once(tmp_path, dayparts, is_whole):
    path = write_settings(tmp_path / "s.yml", {"dayparts": dayparts})
    if is_whole:
        assert load_settings(path).daypart_of_hour() == [0] * 12 + [1] * 12
    else:
        assert "dayparts must hold each hour from 0 to 23 once" in refused(path)


DAYS = "day_names must differ, and weekend must name some of them"
NARROW = "waking_hours must hold window_hours or more"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"waking_hours": [8, 9], "window_hours": 3}, NARROW),
        ({"waking_hours": [8, 24]}, "waking_hours.1: Input should be less than or equal to 23"),
        ({"flags.region.gathers.West": ["Ohio"]}, "value once; Ohio is in several"),
        ({"day_names": ["Monday"] * 7}, DAYS),
        ({"weekend": ["Samstag"]}, DAYS),
        ({"weekend": []}, DAYS),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, changes, said):
    assert said in refused(write_settings(tmp_path / "s.yml", changes))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"thresholds: [unclosed", "is not valid YAML"),
        (b"\xff\xfe\x00", "is not valid YAML"),
        (b"", "holds no settings"),
        (b"- a\n- b\n", "holds no settings"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path, content, said):
    path = tmp_path / "s.yml"
    path.write_bytes(content)
    assert refused(path).startswith(said)


def test_settings_that_are_not_there_are_refused(tmp_path):
    assert refused(tmp_path / "none.yml").startswith("cannot be read (No such file")


def test_settings_cannot_be_changed_after_loading():
    with pytest.raises(ValueError, match="frozen"):
        SETTINGS.flags["loyalty_flag"].unit = "lines"


def test_the_weekend_is_what_the_settings_say(tmp_path):
    path = write_settings(tmp_path / "s.yml", {"weekend": ["Friday", "Saturday"]})
    assert (SETTINGS.weekend_days(), load_settings(path).weekend_days()) == ([0, 1], [0, 6])


def test_both_sets_of_rules_differ_in_every_switch():
    corrected, course = SETTINGS.rules.corrected.model_dump(), SETTINGS.rules.course.model_dump()
    assert [name for name in corrected if corrected[name] == course[name]] == []


# ---- the dictionary and the tables --------------------------------------------------------------


STAGE_TABLES = sorted({name for step in graph().values() for name in step.makes} - NOT_TABLES)


def test_the_tables_of_the_dictionary_are_those_that_the_stages_make():
    named = {table for column in dictionary.columns() for table in column.tables}
    assert named - ON_REQUEST == set(STAGE_TABLES)


@pytest.mark.parametrize("table", STAGE_TABLES)
def test_every_written_column_is_in_the_dictionary_and_every_entry_is_written(
    built, generated, table
):
    run = built(generated, "corrected")
    entries = [column.name for column in dictionary.columns_of(table)]
    assert run.sidecar(table)["columns"] == entries
    for file in sorted((run.folders.prepared / table).glob("*.parquet")):
        schema = pq.read_schema(file)
        assert schema.names == entries
        assert schema.remove_metadata().equals(dictionary.arrow_schema(table))


@pytest.mark.parametrize("table", STAGE_TABLES)
def test_a_table_read_back_has_the_types_that_the_dictionary_promises(built, generated, table):
    run = built(generated, "corrected")
    frame = read_part(run.folders.prepared / table, 0).head(2000)
    promised = {column.name: column.pandas_type for column in dictionary.columns_of(table)}
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == promised
    assert dictionary.validate(table, frame).equals(frame)


def test_every_written_table_is_one_of_the_dictionarys(built, generated):
    prepared = built(generated, "corrected").folders.prepared
    written = {file.parent.name for file in prepared.rglob("*.parquet")}
    assert written == set(STAGE_TABLES)


def test_a_result_column_says_how_a_reader_sees_it():
    for name, column in dictionary.result_columns().items():
        assert column.heading, name
        assert bool(column.format) == (not column.is_text), name
        assert column.key in ("", "customers", "parts", "context"), name
    spend = dictionary.result_column("spend")
    assert (spend.heading, spend.unit, spend.decimals) == ("Spend (USD)", "US dollars", 2)
    assert dictionary.result_column("group").key and not spend.key


def test_a_result_table_with_a_column_that_the_dictionary_lacks_is_refused():
    with pytest.raises(BasketError, match="describes no column sharee of the result tables"):
        to_csv(pd.DataFrame({"group": ["a"], "sharee": [0.5]}))


def test_a_result_table_is_read_as_it_was_written(tmp_path):
    texts = {"label": ["0", "30"], "product_name_a": ["None", "7"]}
    table = pd.DataFrame({**texts, "orders": [1, 2], "share": [0.5, None]})
    (tmp_path / "table.csv").write_text(to_csv(table), encoding="utf-8")
    found = read_csv(tmp_path / "table.csv")
    assert found.astype({"orders": int}).equals(table)
    (tmp_path / "table.csv").write_text("orders\nmany\n", encoding="utf-8")
    with pytest.raises(BasketError, match=r"table\.csv: .*many.*run `make report` again"):
        read_csv(tmp_path / "table.csv")


def test_numbers_that_were_put_together_as_objects_are_rounded_as_others():
    nothing = pd.DataFrame(columns=["share", "reason"])
    table = pd.concat([nothing, pd.DataFrame({"share": [1 / 3, None], "reason": ["", "few"]})])
    assert table["share"].dtype == object, "else this proves nothing"
    assert to_csv(table) == "share,reason\n0.333333,\n,few\n"


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", '=HYPERLINK("x")']
NO_FORMULAS = ["'quoted'", "a=b", " =1", "", "3-4", "'", "''", "O'=x"]


@pytest.mark.parametrize("text", [*FORMULAS, *(f"'{text}" for text in FORMULAS), *NO_FORMULAS])
def test_no_text_of_a_result_table_is_a_formula(tmp_path, text):
    """The attack: a product, a department or a label that a spreadsheet calculates."""
    path = tmp_path / "table.csv"
    path.write_text(to_csv(pd.DataFrame({"group": [text], "share": [-0.5]})), encoding="utf-8")
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert not raw["group"][0].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert raw["share"][0] == "-0.500000"  # numbers stay numbers
    assert read_csv(path)["group"][0] == text
    (row,) = verify._rows_of(SimpleNamespace(tables=tmp_path), "table")
    assert row == {"group": text, "share": "-0.500000"}


def test_each_column_occurs_once_and_says_what_it_is():
    names = [column.name for column in dictionary.columns()]
    assert len(names) == len(set(names))
    for column in dictionary.columns():
        assert column.description and column.source, column.name
        assert (column.type in dictionary.STORED_AS) == bool(column.tables), column.name
        assert (column.source == "derived") == bool(column.derivation), column.name
        if None not in (column.minimum, column.maximum):
            assert column.minimum < column.maximum, column.name


def test_what_a_column_is_derived_from_is_a_column():
    names = {column.name for column in dictionary.columns()}
    for column in dictionary.columns():
        if column.source == "derived":
            assert set(column.derived_from.split()) <= names, column.name


# ---- what the dictionary refuses ----------------------------------------------------------------


@pytest.fixture
def orders(built, generated) -> pd.DataFrame:
    """Give some rows of raw_orders, where the values of its columns are checked."""
    return built(generated, "corrected").table("raw_orders").head(50)


def test_sound_rows_pass_and_come_back_in_the_dictionarys_order(orders):
    turned = orders[orders.columns[::-1]]
    assert list(dictionary.validate("raw_orders", turned)) == list(orders.columns)
    found = conforming("raw_orders", stored(turned))
    assert found.schema.equals(dictionary.arrow_schema("raw_orders"))
    assert to_pandas("raw_orders", found).equals(orders)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda t: t.assign(colour=1), "colour"),
        (lambda t: t.drop(columns="order_day"), "order_day"),
        (lambda t: t.rename(columns={"order_day": "order_dow"}), "order_dow"),
        (lambda t: t.astype({"order_id": "int64"}), "order_id"),
        (lambda t: t.astype({"order_id": "float64"}), "order_id"),
        (lambda t: t.astype({"eval_set": "str"}), "eval_set"),
        (lambda t: t.assign(order_day=np.int8(7)), "order_day"),
        (lambda t: t.assign(order_day=np.int8(-1)), "order_day"),
        (lambda t: t.assign(order_hour=np.int8(24)), "order_hour"),
        (lambda t: t.assign(order_id=np.int32(0)), "order_id"),
        (lambda t: t.assign(**{GAP: pd.array([31] * len(t), "Int8")}), GAP),
        (lambda t: t.assign(eval_set=pd.Categorical(["later"] * len(t))), "eval_set"),
        (lambda t: t.assign(eval_set=pd.Categorical([None] * len(t), ["prior"])), "eval_set"),
    ],
)
def test_a_frame_that_breaks_the_dictionary_is_refused_and_the_column_named(orders, damage, named):
    damaged = damage(orders)
    for check, rows in ((dictionary.validate, damaged), (conforming, stored(damaged))):
        with pytest.raises(BasketError, match=r"raw_orders.* data_dictionary\.csv") as error:
            check("raw_orders", rows)
        assert named in str(error.value)
        assert "\n" not in str(error.value)


def stored(frame: pd.DataFrame) -> pa.Table:
    return pa.table({name: column_to_arrow(frame[name]) for name in frame})


def test_one_bad_value_among_many_is_enough(orders):
    one = orders.copy()
    one.loc[17, "order_day"] = 9
    for check, rows in ((dictionary.validate, one), (conforming, stored(one))):
        with pytest.raises(BasketError, match="order_day"):
            check("raw_orders", rows)


def test_a_table_that_the_dictionary_does_not_know_is_refused():
    with pytest.raises(KeyError, match="no column for the table lunches"):
        dictionary.columns_of("lunches")


WRITTEN = dictionary.PATH.read_text(encoding="utf-8")
AGAIN = "save it as CSV UTF-8, with commas"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (WRITTEN.replace(",", ";").encode(), f", line 1: column column is missing; … {AGAIN}"),
        (b"", f", line 1: column column is missing; expected column, tables, … {AGAIN}"),
        (WRITTEN.replace("unit", "Unit", 1).encode(), ", line 1: column unit is missing; expected"),
        (WRITTEN.encode("cp1252"), f": is not UTF-8; {AGAIN}"),
        (b"x" * 200_000, ": is not readable as CSV (field larger than field"),
        (
            WRITTEN.replace("int32,yes,1,", "int32,yes,one,", 1).encode(),
            ": row order_id: minimum: found 'one', expected a number, or nothing",
        ),
        (
            WRITTEN.replace("int32,yes", "int23,yes", 1).encode(),
            ": row order_id: type: found 'int23', expected one of int8, int16",
        ),
        (
            WRITTEN.replace("int32,yes", "int32,Yes", 1).encode(),
            ": row order_id: required: found 'Yes', expected one of yes, no, received",
        ),
    ],
)
def test_a_dictionary_that_a_spreadsheet_spoilt_is_refused_in_one_line(
    tmp_path, monkeypatch, content, said
):
    path = tmp_path / "data_dictionary.csv"
    path.write_bytes(content)
    monkeypatch.setattr(dictionary, "PATH", path)
    with pytest.raises(BasketError) as error:
        dictionary.columns.__wrapped__()
    first, _, last = said.partition(" … ")
    assert str(error.value).startswith(f"{path}{first}") and str(error.value).endswith(last)
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_changes_nothing(tmp_path, monkeypatch):
    for module, name, read in ((dictionary, "PATH", "columns"), (stages, "GRAPH", "graph")):
        marked = tmp_path / name
        marked.write_bytes(b"\xef\xbb\xbf" + getattr(module, name).read_bytes())
        monkeypatch.setattr(module, name, marked)
        assert getattr(module, read).__wrapped__() == getattr(module, read)()


def test_stages_that_a_spreadsheet_spoilt_are_one_line_of_any_command(tmp_path, monkeypatch):
    (tmp_path / "stages.csv").write_text("stage;takes;makes\n01_import;raw files;raw_products\n")
    monkeypatch.setattr(stages, "GRAPH", tmp_path / "stages.csv")
    monkeypatch.setattr(command, "graph", stages.graph.__wrapped__)
    done = CliRunner().invoke(command.main, ["report", "--from", "3"])
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert f"line 1: column stage is missing; expected stage, takes, makes: {AGAIN}" in done.output


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("derivation", "{rule}", "derivation: found 'rule'; in braces, expected one of price_ceil"),
        ("derivation", "{rules", "derivation: expected '}' before end of string; in braces, expec"),
        ("description", "{rules}", "description: found 'rules'; in braces, expected one of price"),
    ],
)
def test_a_placeholder_that_nothing_fills_is_refused_with_the_settings(
    tmp_path, monkeypatch, name, text, said
):
    columns = [
        replace(each, **{name: text}) if each.name == "age_group" else each
        for each in dictionary.columns()
    ]
    monkeypatch.setattr(dictionary, "columns", lambda: columns)
    with pytest.raises(BasketError) as error:
        load_settings(write_settings(tmp_path / "s.yml", {}))
    assert str(error.value).startswith(f"{dictionary.PATH}: row age_group: {said}")


# ---- wording ------------------------------------------------------------------------------------


def test_every_derived_column_has_its_rule_and_no_placeholder_is_left():
    rows = dictionary.derivations(SETTINGS)
    assert {row["column"] for row in rows} == {
        column.name
        for column in dictionary.columns()
        if column.source == "derived" and column.tables
    }
    for row in rows:
        assert row["condition"] and row["description"], row["column"]
        assert not re.search(r"[{}]", row["condition"] + row["description"]), row["column"]


def with_thresholds(**changes):
    thresholds = SETTINGS.thresholds.model_copy(update=changes)
    return SETTINGS.model_copy(update={"thresholds": thresholds})


def with_cuts(flag, cuts):
    changed = SETTINGS.flags[flag].model_copy(update={"bands": SETTINGS.flags[flag].bands_at(cuts)})
    return SETTINGS.model_copy(update={"flags": SETTINGS.flags | {flag: changed}})


MOVED = [
    *(
        pytest.param(with_thresholds(**{name: value + 1}), value + 1, id=name)
        for name, value in SETTINGS.thresholds
    ),
    *(
        pytest.param(
            with_cuts(name, [cut + (place == number) for place, cut in enumerate(flag.cuts)]),
            flag.cuts[number] + 1,
            id=f"{name}-{number}",
        )
        for name, flag in SETTINGS.flags.items()
        for number in range(len(flag.cuts))
    ),
]


@pytest.mark.parametrize(("changed", "value"), MOVED)
def test_a_changed_threshold_changes_the_wording(changed, value):
    before, after = dictionary.derivations(SETTINGS), dictionary.derivations(changed)
    moved = [row["condition"] for row, old in zip(after, before, strict=True) if row != old]
    assert moved
    assert all(f"{value:,g}" in condition for condition in moved)


def test_large_thresholds_are_worded_in_full():
    changed = with_cuts("income_group", [50_000, 1_250_000.0])
    words = {row["column"]: row["condition"] for row in dictionary.derivations(changed)}
    assert "High income: from 1,250,000 dollars" in words["income_group"]
    changed = with_cuts("price_range", [4.25, 15])
    words = {row["column"]: row["condition"] for row in dictionary.derivations(changed)}
    assert "Low-range product: up to 4.25 dollars" in words["price_range"]


@pytest.mark.parametrize(
    ("flag", "bands", "said"),
    [
        (
            "age_group",
            {"18-39": "below 40", "40-49": "below 50", "50-64": "below 65", "65+": "from 65"},
            "18-39: below 40 years; 40-49: 40 to below 50 years; 50-64: 50 to below 65 years; "
            "65+: from 65 years",
        ),
        (
            "age_group",
            {"18-39": "below 40", "40+": "from"},
            "18-39: below 40 years; 40+: from 40 y",
        ),
        (
            "spending_flag",
            {"Low": "below 8", "Mid": "below 12", "High": "from"},
            "Low: below 8 dollars; Mid: 8 to below 12 dollars; High: from 12 dollars",
        ),
        (
            "exclusion_flag",
            {"Low": "up to 5", "Active": "above"},
            "up to 5 orders; Active: above 5 o",
        ),
    ],
)
def test_the_wording_follows_the_bands(tmp_path, flag, bands, said):
    settings = load_settings(write_settings(tmp_path / "s.yml", {f"flags.{flag}.bands": bands}))
    words = {row["column"]: row["condition"] for row in dictionary.derivations(settings)}
    assert said in words[flag]


def test_only_prepared_columns_are_worded(monkeypatch):
    column = replace(dictionary.columns_of("orders")[0], name="half", source="derived", tables=())
    monkeypatch.setattr(dictionary, "columns", lambda: (column,))
    assert dictionary.derivations(SETTINGS) == []


def test_no_threshold_is_typed_into_the_dictionary():
    numbers = {f"{SETTINGS.thresholds.price_ceiling_dollars:g}"}
    numbers |= {f"{cut:g}" for flag in SETTINGS.flags.values() for cut in flag.cuts}
    for column in dictionary.columns():
        words = column.derivation.replace("prices x 100", "") + column.description
        typed = numbers & set(re.findall(r"(?<![\d-])\d+", words))
        assert not typed, column.name
