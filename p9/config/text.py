"""The shipped config.yaml, written from the structs of this package: every key with its comment, its bounds and its default.

    python -m p9.config.text > config.yaml
"""

import textwrap
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from p9.config.config import Config
from p9.config.section import Bytes, Seconds, Section

HEADER = """\
# P9-MicroStream. Every key may be left out: what stands here is the default.
# Durations carry a unit (500ms, 1s, 5m, 24h), sizes too (64kB, 16MB). Any key can also be set by the environment: P9__REDIS__URL for redis.url.
"""
WIDTH = 118


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Seconds | Bytes):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {each}" for key, each in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    if isinstance(value, str):
        return f'"{value}"' if not value or any(sign in value for sign in ":#{}[]") else value
    return repr(value)


def _allowed(kind: Any, metas: list[msgspec.Meta], section: type[Section], name: str) -> str:
    if name in section._bounds:
        low, high = section._bounds[name]
        return f"{low} to {high}"
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    for meta in metas:
        if meta.ge is not None:
            return f"{meta.ge} to {meta.le}"
    return ""


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(text, WIDTH - len(indent))]


def _lines(section: Section, indent: str = "") -> list[str]:
    lines: list[str] = []
    hints = get_type_hints(type(section), include_extras=True)
    for name in section.__struct_fields__:
        value, kind, metas = getattr(section, name), hints[name], []
        if get_origin(kind) is Annotated:
            kind, *metas = get_args(kind)
        if isinstance(value, Section):
            if not indent:
                lines.append("")
            about = (type(value).__doc__ or "").strip().splitlines()
            own = type(value).__dict__.get("__doc__")
            if own and not own.startswith(type(value).__name__):
                lines += _comment(about[0], indent)
            lines.append(f"{indent}{name}:")
            lines += _lines(value, indent + "  ")
            continue
        description = next((meta.description for meta in metas if meta.description), "")
        allowed = _allowed(kind, metas, type(section), name)
        lines += _comment(f"{description} [{allowed}]" if allowed else description, indent)
        lines.append(f"{indent}{name}: {_value(value)}")
    return lines


def render() -> str:
    """The whole file."""
    return HEADER + "\n".join(_lines(Config())) + "\n"


if __name__ == "__main__":
    print(render(), end="")
