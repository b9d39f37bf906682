"""mark_price: the price that margins are counted by, the index behind it, and how far apart they are."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from p9.fact import MarkPrice
from p9.market.agreement import Tolerance
from p9.market.sheet import Other, Record
from p9.number import EXACT

BASIS_PLACES = 4


class MarkPriceSheet:
    kind = "mark_price"
    fact = MarkPrice

    def __init__(self, price_share: Decimal):
        near = Tolerance(within_s=3.0, share=price_share)
        self.tolerances: Mapping[str, Tolerance] = {"mark": near, "index": near}

    def write(self, record: Record, other: Other, now_ns: int) -> tuple[dict[str, Any], int] | None:
        mark, index = record.value("mark"), record.value("index")
        if mark is None and index is None and record.fields is None:
            return None
        basis_bps = None
        if mark is not None and index is not None:
            basis_bps = round(float(EXACT.divide((Decimal(mark) - Decimal(index)) * 10_000, Decimal(index))), BASIS_PLACES)
        return {"mark": mark, "index": index, "basis_bps": basis_bps}, 0
