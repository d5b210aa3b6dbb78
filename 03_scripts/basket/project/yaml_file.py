"""Read a YAML file that people write into its model; what is wrong with it is said in one line."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from basket.project.errors import SettingsError

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Read and check a file; raise SettingsError that names the file and the key at fault."""
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        content = node and loader.construct_document(node)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: is not valid YAML: {reason}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: holds no settings; expected keys with values")
    for key, times in Counter(_keys(node, (), set())).items():
        if times > 1:
            raise SettingsError(f"{path}: {'.'.join(key)}: found this key twice, expected it once")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{path}: {_in_one_line(error)}") from None


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
    found = "" if isinstance(first["input"], dict | BaseModel) else f", found {first['input']!r}"
    return f"{key}: {said}{found}" if key else said
