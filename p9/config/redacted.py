"""The configuration in force as plain data for people: every key as it stands in the file, and no secret."""

import re
from typing import Any

from p9.config.plain import plain

_USERINFO = re.compile(r"(\w+://)[^/@\s]*@")


def redacted(value: Any) -> Any:
    """Secrets are not in the file, by its rules; what an address may carry before its @ is hidden all the same."""
    return _hidden(plain(value))


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_hidden(each) for each in value]
    return _USERINFO.sub(r"\1***@", value) if isinstance(value, str) else value
