"""The configuration in force as plain data for people: every key as it stands in the file, and no secret."""

import re
from typing import Any

from p9.config.section import Bytes, Seconds, Section

_USERINFO = re.compile(r"(\w+://)[^/@\s]*@")


def redacted(value: Any) -> Any:
    """Secrets are not in the file, by its rules; what an address may carry before its @ is hidden all the same."""
    if isinstance(value, Section):
        return {name: redacted(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Seconds | Bytes):
        return str(value)
    if isinstance(value, dict):
        return {str(key): redacted(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [redacted(each) for each in value]
    return _USERINFO.sub(r"\1***@", value) if isinstance(value, str) else value
