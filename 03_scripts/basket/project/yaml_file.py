"""Read a YAML file that people write into its model; what is wrong with it is said in one line."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from reprlib import Repr
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from basket.project.errors import SettingsError

Model = TypeVar("Model", bound=BaseModel)

LARGEST = 2**20  # bytes
LONGEST_LINE = 200  # characters of an error
FOUND = Repr()  # shows a value that may hold itself many times over, or be very long
FOUND.maxlevel, FOUND.maxstring, FOUND.maxother, FOUND.maxlong = 2, 60, 60, 60
# What PyYAML raises for text that is no YAML, or whose explicit types do not fit.
NOT_YAML = (yaml.YAMLError, ValueError, OverflowError, LookupError, AttributeError, TypeError)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Read and check a file; raise SettingsError that names the file and the key at fault."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > LARGEST:
        raise SettingsError(f"{path}: is larger than {LARGEST:,} bytes; expected settings")
    return parse_yaml(content, path, model)


@cache
def parse_yaml(text: bytes | str, path: Path, model: type[Model]) -> Model:
    """Check the text of a file, once in a process, as `read_yaml` does; `path` names it in errors.

    Each page asks for the settings anew, which took a tenth of a run that has nothing to do.
    """
    try:
        loader = yaml.SafeLoader(text.decode() if isinstance(text, bytes) else text)
        node = loader.get_single_node()
        content = node and loader.construct_document(node)
    except RecursionError:
        raise SettingsError(f"{path}: is nested too deeply; expected keys with values") from None
    except NOT_YAML as error:
        reason = " ".join(str(error).split())[:LONGEST_LINE]
        raise SettingsError(f"{path}: is not valid YAML: {reason}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: holds no settings; expected keys with values")
    for key, times in Counter(_keys(node, (), set())).items():
        if times > 1:
            named = ".".join(key)[:LONGEST_LINE]
            raise SettingsError(f"{path}: {named}: found this key twice, expected it once")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{path}: {_in_one_line(error)[:LONGEST_LINE]}") from None


def _keys(node: yaml.Node, place: tuple, seen: set[int]) -> Iterator[tuple[str, ...]]:
    """Yield the path of each key: YAML would keep the last of two; an alias is read once."""
    if isinstance(node, yaml.ScalarNode) or id(node) in seen:
        return
    seen.add(id(node))
    is_list = isinstance(node, yaml.SequenceNode)
    pairs = enumerate(node.value) if is_list else [(key.value, each) for key, each in node.value]
    for key, value in pairs:
        yield (*place, str(key))
        yield from _keys(value, (*place, str(key)), seen)


def _in_one_line(error: ValidationError) -> str:
    """Say the first fault: the key, what is wrong with it, and what was found."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    said = first["msg"].removeprefix("Value error, ")
    has_value = not isinstance(first["input"], dict | BaseModel)
    found = f", found {FOUND.repr(first['input'])}" if has_value else ""
    return f"{key}: {said}{found}" if key else said
