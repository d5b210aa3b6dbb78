"""Would the tests notice? Change the package in one place, and run the tests of that place.

`make mutants` draws 60 changes with a fixed seed from all that this program knows to make: of a
comparison, a sign, a number, a condition. Each is made in a copy of the checkout, against the tests
of the files that import the changed module (quick ones, and those of stages that ran), then against
the test that makes the example and compares every byte of it. A mutant is killed when a test fails
or takes too long. Survivors are listed: some change nothing that anybody could see.
"""

import argparse
import ast
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue

from basket.project.folders import ROOT, SCRIPTS

sys.path.insert(0, str(ROOT / "tests"))
from checkout import copy_of_checkout

PACKAGE = SCRIPTS / "basket"
COMPARED = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "=="}
SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
REVERSED = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*")}
SECONDS = 600  # for the tests of one mutant
NO_TESTS = 5  # what pytest ends with where it has selected none
AT_ONCE = 2  # mutants, each in a copy of its own
EXAMPLE = ["-m", "slow", "-k", "what_this_code_makes", "tests/test_example.py"]


@dataclass(frozen=True)
class Mutant:
    """One change: in a module, from one place to another of its text, to another text."""

    module: str  # below the package
    line: int
    start: int
    end: int
    before: str
    after: str

    @property
    def room(self) -> str:
        """The room of the module."""
        return self.module.split("/")[0].removesuffix(".py")

    def __str__(self) -> str:
        """Say where it is and what it changes."""
        return f"{self.module}:{self.line}: {self.before} -> {self.after}"


def mutants_of(module: str, code: str) -> list[Mutant]:
    """List every change of a module that this program knows, in the order of its text."""
    starts = [0]
    for line in code.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    text, found = code.encode(), []

    def place(line: int, column: int) -> int:
        return starts[line - 1] + column

    def add(line: int, start: int, end: int, after: str) -> None:
        before = text[start:end].decode()
        if before != after:
            found.append(Mutant(module, line, start, end, before, after))

    def between(left: ast.expr, right: ast.expr, sign: str, after: str) -> None:
        start = place(left.end_lineno, left.end_col_offset)
        at = text.find(sign.encode(), start, place(right.lineno, right.col_offset))
        if at >= 0:
            add(left.end_lineno, at, at + len(sign), after)

    tree = ast.parse(code)
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(each) for node in strings for each in ast.walk(node)}  # 3.11 misplaces these
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
            kind = type(node.ops[0])
            between(node.left, node.comparators[0], SIGNS[kind], COMPARED[kind])
        elif isinstance(node, ast.BinOp) and type(node.op) in REVERSED:
            between(node.left, node.right, *REVERSED[type(node.op)])
        elif isinstance(node, ast.BoolOp):
            words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            between(node.values[0], node.values[1], *words)
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
            new = not node.value if isinstance(node.value, bool) else node.value + 1
            start = place(node.lineno, node.col_offset)
            add(node.lineno, start, place(node.end_lineno, node.end_col_offset), repr(new))
        elif isinstance(node, ast.If | ast.IfExp):
            start = place(node.test.lineno, node.test.col_offset)
            end = place(node.test.end_lineno, node.test.end_col_offset)
            add(node.test.lineno, start, end, f"not ({text[start:end].decode()})")
    return sorted(found, key=lambda one: (one.start, one.end))


@cache
def imports_of_tests() -> dict[str, set[str]]:
    """Return what each test file imports, by full names."""
    imported = {}
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
            elif isinstance(node, ast.Import):
                names |= {one.name for one in node.names}
        imported[path.name] = names
    return imported


def tests_of(module: str) -> list[str]:
    """List the test files that import a module; of its room, where none does."""
    name = ".".join(["basket", *Path(module).with_suffix("").parts]).removesuffix(".__init__")
    imported = imports_of_tests()
    direct = [file for file, names in imported.items() if name in names]
    room = ".".join(name.split(".")[:2])
    near = [file for file, names in imported.items() if any(n.startswith(room) for n in names)]
    return direct or near


def survives(mutant: Mutant, checkout: Path) -> bool:
    """Make the change in a copy of the checkout, run its tests, and take it back."""
    path = checkout / "03_scripts" / "basket" / mutant.module
    text = path.read_bytes()
    path.write_bytes(text[: mutant.start] + mutant.after.encode() + text[mutant.end :])
    quick = ["-m", "not slow or stages", *(f"tests/{name}" for name in tests_of(mutant.module))]
    try:
        return all(_passes(checkout, options) for options in (quick, EXAMPLE))
    finally:
        path.write_bytes(text)


def _passes(checkout: Path, options: list[str]) -> bool:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *options],
            cwd=checkout,
            env=os.environ | {"PYTHONPATH": str(checkout / "03_scripts")},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode == NO_TESTS:
        raise SystemExit(f"pytest {' '.join(options)}: selects no test")
    return done.returncode == 0


def main() -> None:
    """Draw the mutants, try each, and say by room how many were killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=2017)
    options = parser.parse_args()
    every = [
        mutant
        for path in sorted(PACKAGE.rglob("*.py"))
        for mutant in mutants_of(path.relative_to(PACKAGE).as_posix(), path.read_text("utf-8"))
    ]
    chosen = random.Random(options.seed).sample(every, options.count)
    tried, killed = Counter(), Counter()
    with tempfile.TemporaryDirectory(prefix="basket-mutants-") as place:
        idle = SimpleQueue()
        for number in range(AT_ONCE):
            idle.put(copy_of_checkout(Path(place) / f"checkout-{number}"))

        def survived(mutant: Mutant) -> bool:
            checkout = idle.get()
            try:
                return survives(mutant, checkout)
            finally:
                idle.put(checkout)

        if not survived(Mutant("project/errors.py", 1, 0, 0, "", "")):
            sys.exit("the tests fail without any change: nothing would be learnt")
        chosen = sorted(chosen, key=lambda one: (one.module, one.start))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for mutant, alive in zip(chosen, pool.map(survived, chosen), strict=True):
                tried[mutant.room] += 1
                killed[mutant.room] += not alive
                if alive:
                    print(f"survived: {mutant}", flush=True)
    for room, count in sorted(tried.items()):
        print(f"{room:<10} {killed[room]:>3} of {count:>3} killed")
    share = killed.total() / tried.total()
    print(f"{'all':<10} {killed.total():>3} of {tried.total():>3} killed ({share:.0%})")


if __name__ == "__main__":
    main()
