"""config.yaml -> Config: strict, and clear about what it refuses."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import yaml

from p9.config.config import Config
from p9.config.section import Bytes, Seconds, Section
from p9.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """YAML without its traps: a key that stands twice is an error, and only true and false are truth values."""


def _mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict:
    seen: set = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise ConfigError(f"line {key_node.start_mark.line + 1}: found the key {key!r}, allowed are words")
        if key in seen:
            raise ConfigError(f"line {key_node.start_mark.line + 1}: the key {key!r} stands twice")
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


def _truth(loader: _Loader, node: yaml.ScalarNode) -> bool | str:
    return {"true": True, "false": False}.get(node.value, node.value)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:bool", _truth)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


def _hook(kind: type, value: Any) -> Any:
    if kind in (Seconds, Bytes):
        return kind(value)
    raise TypeError(kind)


def _section_at(path: list[str]) -> Any:
    """The struct that stands at `path` of Config, or None."""
    kind: Any = Config
    for name in path:
        hints = get_type_hints(kind) if isinstance(kind, type) and issubclass(kind, Section) else {}
        if name not in hints:
            return None
        kind = hints[name]
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
    return kind


def _explain(error: msgspec.ValidationError, tree: Any) -> tuple[str, str]:
    """(path, message) with what was found and, for an unknown key, the nearest known one."""
    text = str(error)
    match = re.fullmatch(r"(?s)(.*) - at `(\$[^`]*)`", text)
    message, path = (match[1], match[2].lstrip("$").lstrip(".")) if match else (text, "")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", message)
    parts = [part for part in re.split(r"[.\[\]]", path) if part]
    if unknown:
        section = _section_at(parts)
        known = list(section.__struct_fields__) if section is not None else []
        near = difflib.get_close_matches(unknown[1], known, n=1, cutoff=0.5)
        where = f"{path}.{unknown[1]}" if path else unknown[1]
        suggestion = f"did you mean {near[0]!r}?" if near else "known are " + ", ".join(known)
        return where, f"unknown key; {suggestion}"
    allowed = get_args(_section_at(parts)) if get_origin(_section_at(parts)) is Literal else ()
    if allowed:
        message = f"allowed is {', '.join(map(str, allowed))}"
    found = tree
    for part in parts:
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return path, message
    return path, message if "found" in message or isinstance(found, Mapping | list) else f"{message}, found {found!r}"


def _tree(text: str, name: str) -> Any:
    """YAML as plain data. Raises ConfigError."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"not YAML: {getattr(error, 'problem', error)}", where=f"{name}{place}") from None
    except RecursionError:
        raise ConfigError("nested too deep", where=name) from None
    except ConfigError as error:
        raise ConfigError(error.message, where=name) from None
    except Exception as error:  # a tag's own reader (`!!float x`) raises whatever comes to it
        raise ConfigError(f"a value that YAML cannot read: {error}", where=name) from None


def parse(text: str, name: str = "config.yaml", environment: Mapping[str, str] | None = None) -> Config:
    """A configuration from YAML text. `P9__REDIS__URL=…` in the environment overrides `redis.url`. Raises ConfigError."""
    tree = _tree(text, name)
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(f"found {type(tree).__name__}, allowed is a mapping of sections", where=name)
    for key, value in (environment or {}).items():
        if key.startswith("P9__"):
            _override(tree, key, value)
    try:
        return msgspec.convert(tree, Config, dec_hook=_hook, strict=True)
    except msgspec.ValidationError as error:
        path, message = _explain(error, tree)
        raise ConfigError(message, where=f"{name}: {path}" if path else name) from None


def _override(tree: dict, key: str, value: str) -> None:
    *sections, last = key[len("P9__"):].lower().split("__")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{key} names a key below {section!r}, which is no section", where="environment")
    tree[last] = _tree(value, f"environment: {key}")


def load(path: Path | None) -> Config:
    """The configuration in `path`; None: the defaults. Raises ConfigError."""
    if path is None:
        return parse("", "defaults", os.environ)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError("there is no such file", where=str(path), hint="leave --config out to run with the defaults") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 text at byte {error.start}", where=str(path)) from None
    except OSError as error:
        if path.is_dir():  # Windows says that permission is denied
            raise ConfigError("is a directory, not a file", where=str(path)) from None
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    return parse(text, str(path), os.environ)
