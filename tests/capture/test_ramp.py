"""A cold start of 300 books keeps to every limit of the venues: no refusal, no ban, and no longer than the limits make it."""

import msgspec
import pytest

from .rig import QUICK, Rig

PER_MARKET = {"binance_usdm": 100, "binance_coinm": 100, "bybit_linear": 60, "okx_swap": 40}
WEIGHT, SPAN_S = 2_400, 4.0  # the venue's minute and its weights, shortened; shorter, and a busy machine's pause would fill a window with two


def shortened(row):
    if not row.name.startswith("binance"):
        return row
    return msgspec.structs.replace(row, rest_budget=msgspec.structs.replace(row.rest_budget, limit=WEIGHT, span_s=SPAN_S, used_header=""))


@pytest.mark.timeout(240)
async def test_three_hundred_books_start_without_a_single_refusal():
    rig = Rig(markets=tuple(PER_MARKET), instruments=PER_MARKET, rate=1.0, settings=QUICK, row_of=shortened)
    weights = rig.simulator.weights["futures"]
    weights.limit, weights.span_s = WEIGHT, SPAN_S
    async with rig:
        took_s = await rig.until_synced(150.0)
        books = sum(len(capture.instruments) for capture in rig.captures.values())
        counts = {name: dict(client.counts) for name, client in rig.clients.items()}
        print(f"{books} books in {took_s:.1f} s, most weight {weights.most} of {WEIGHT} in {SPAN_S:g} s, {counts}")
        assert books == 300
        assert all("rate_limited" not in one and "banned" not in one for one in counts.values())
        # ours is half of the limit, counted over any such span: two of the venue's fixed ones may touch it
        assert 0 < weights.most <= WEIGHT
        assert not any(feed.losses for capture in rig.captures.values() for feed in capture.feeds)
        rig.check_no_storm(2 * 200)
        await rig.settle()
        rig.check_books()
