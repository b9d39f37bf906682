"""The Python that the third-party clients run in: their pins and ours exclude each other, so they have an environment of their own."""

import fcntl
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = Path(__file__).parents[3] / ".venv-clients"


def python() -> Path:
    """Its interpreter; the environment is made where it is missing or out of date (once: the tests' processes wait for one another)."""
    interpreter, stamp = FOLDER / "bin" / "python", FOLDER / "p9-stamp"
    with open(f"{FOLDER}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != REQUIREMENTS.read_text():
            subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
            pip = [interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", REQUIREMENTS]
            subprocess.run(pip, check=True)
            stamp.write_text(REQUIREMENTS.read_text())
    return interpreter
