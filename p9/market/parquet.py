"""Parquet, through an extra: pyarrow is as large as all the rest of us, so the executable does not carry it.

Decimals stay exact: decimal128(38, 18). Times are timestamps of ns, in UTC.
"""

import importlib
import itertools
import os
import types
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

from p9.errors import ConfigError
from p9.history import Row

GROUP_ROWS = 50_000
PLACES = 18
TEXTS = ("id", "side", "unit")  # fields that are text; all others that are text in a row are decimals


def library() -> Any:
    """pyarrow. Raises ConfigError with the remedy where it is missing."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            "Parquet needs pyarrow, which is not here", where="--format",
            hint="pip install 'p9-microstream[parquet]'; the executable never carries it: there, take csv or jsonl",
        ) from None  # fmt: skip


def write(rows: Iterable[Row], row: type[Row], path: Path) -> None:
    """All rows into one file, in groups, on disk when this returns."""
    arrow, parquet = library()
    schema = _schema(arrow, row)
    names = row.__struct_fields__
    decimals = [name for name in names if schema.field(name).type == arrow.decimal128(38, PLACES)]
    with path.open("wb") as file:
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            for group in itertools.batched(rows, GROUP_ROWS) if hasattr(itertools, "batched") else _batched(rows):
                columns = {name: [getattr(each, name) for each in group] for name in names}
                for name in decimals:
                    columns[name] = [None if text is None else Decimal(text) for text in columns[name]]
                writer.write_table(arrow.table(columns, schema=schema))
        file.flush()
        os.fsync(file.fileno())


def _batched(rows: Iterable[Row]) -> Iterable[list[Row]]:
    remaining = iter(rows)
    while group := list(itertools.islice(remaining, GROUP_ROWS)):
        yield group


def _schema(arrow: Any, row: type[Row]) -> Any:
    hints = get_type_hints(row)
    return arrow.schema([(name, _type(arrow, name, hints[name])) for name in row.__struct_fields__])


def _type(arrow: Any, name: str, hint: Any) -> Any:
    plain = [each for each in (get_args(hint) if isinstance(hint, types.UnionType) else (hint,)) if each is not type(None)]
    if name == "time":
        return arrow.timestamp("ns", tz="UTC")
    if bool in plain:
        return arrow.bool_()
    if int in plain:
        return arrow.int64()
    return arrow.string() if name in TEXTS else arrow.decimal128(38, PLACES)
