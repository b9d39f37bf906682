"""Where the real recordings are: $P9_RECORDINGS, or ../shared/recordings beside the repository. They are data, not part of the project."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("P9_RECORDINGS", Path(__file__).parents[1].parent / "shared" / "recordings"))


def recording(name: str) -> Path:
    """The path of one recording; skips the test, saying so, where the recordings are not to be had."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"no recording {name}: set P9_RECORDINGS to the folder that holds it")
    return path
