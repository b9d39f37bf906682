"""config.yaml -> frozen structs. Every default stands here once; the shipped file is written from these structs (text.py).

Durations are text with a unit ("500ms", "1s", "5m", "24h"), sizes too ("16MB"). Unknown or duplicate keys, YAML's yes/no surprises and
values out of bounds are errors that name the path, what was found and what is allowed.
"""

from p9.config.config import Config
from p9.config.reader import load, parse
from p9.config.section import Bytes, Seconds, Section

__all__ = ["Bytes", "Config", "Seconds", "Section", "load", "parse"]
