"""Nothing is written twice: no ten lines of package, tests and benchmarks stand in two places."""

import ast
from collections import defaultdict

from basket.project.folders import ROOT, SCRIPTS

LINES = 10
FOLDERS = (SCRIPTS / "basket", ROOT / "tests", ROOT / "benchmarks")


def lines_of(code: str) -> list[tuple[int, str]]:
    """Give the lines that do something, with their numbers; imports are repeated of necessity."""
    imported: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported |= set(range(node.lineno, node.end_lineno + 1))
    numbered = enumerate(code.splitlines(), start=1)
    return [(n, line.strip()) for n, line in numbered if line.strip() and n not in imported]


def copies(texts: dict[str, str]) -> list[str]:
    """List the places that share ten lines or more, each pair of files once."""
    places = defaultdict(list)
    for name, text in texts.items():
        lines = lines_of(text)
        for first in range(len(lines) - LINES + 1):
            window = tuple(line for _, line in lines[first : first + LINES])
            places[window].append((name, lines[first][0]))
    found = {}
    for same in places.values():
        for name, line in same[1:]:
            found.setdefault((same[0][0], name), f"{same[0][0]}:{same[0][1]} and {name}:{line}")
    return sorted(found.values())


def test_no_ten_lines_stand_in_two_places():
    files = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]
    assert len(files) > 100
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in files}
    assert copies(texts) == []


def test_a_copy_is_found_however_it_is_indented():
    ten = "\n".join(f"x{n} = {n}" for n in range(LINES))
    inside = "def f():\n    import os\n" + "\n".join(f"    {line}\n" for line in ten.split("\n"))
    imports = "\n".join(f"import m{n}" for n in range(LINES))
    assert copies({"a.py": f"{imports}\n{ten}", "b.py": f"{imports}\n\n{inside}"}) == [
        "a.py:11 and b.py:14"
    ]
    assert copies({"a.py": ten, "b.py": ten.replace("x5", "y5")}) == []
    assert copies({"a.py": f"{ten}\n{ten}"}) == ["a.py:1 and a.py:11"]
