"""A configuration as plain data: what the reader takes back, key by key as it stands in the file."""

from typing import Any

from p9.config.section import Bytes, Seconds, Section


def plain(value: Any) -> Any:
    if isinstance(value, Section):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Seconds | Bytes):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value
