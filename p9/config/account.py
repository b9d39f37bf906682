"""Where the keys of one's own accounts are found. They make a venue tell one's own stop orders; all else needs none."""

import re
from typing import Annotated, ClassVar

from p9.config.section import Section, text

_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


class Account(Section):
    """One's own account: with a key (a read-only one is enough) the venue tells one's own stop orders. The key comes from the environment or a file, never
    from here; where there is none, nothing is asked."""

    optional: ClassVar[tuple[str, ...]] = ()  # parts of a key that may be missing

    enabled: Annotated[bool, text("use the key, if there is one")] = True
    file: Annotated[str, text("file with lines key=..., secret=... and passphrase=..., as far as the venue has them, that only its owner can read; empty: none")] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in self.__struct_fields__:
            if field.endswith("_env") and not _NAME.fullmatch(getattr(self, field)):  # a key put here by mistake must not be shown
                raise ValueError(f"{field}: found what is no variable's name (it is not repeated here), allowed is one such as P9_VENUE_KEY")
