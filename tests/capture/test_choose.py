"""pain_21: instruments come and go while the market is captured, and nothing else notices."""

import random

import msgspec
import pytest

from .rig import Rig

MARKETS = ("binance_usdm", "bybit_linear", "okx_swap")


def names(rig: Rig, name: str) -> list[str]:
    return [row.symbol for row in rig.captures[name].instruments.values()]


def everything(rig: Rig, name: str) -> list[str]:
    return sorted(row.symbol for row in rig.captures[name].known.of(name) if row.trading)


async def test_pain_21_instruments_are_added_and_removed_and_the_others_see_no_reconnect():
    async with Rig(markets=MARKETS, trades=True, instruments=4) as rig:
        await rig.until_synced()
        wanted = {name: everything(rig, name) for name in MARKETS}
        stays = {name: symbols[0] for name, symbols in wanted.items()}
        gone = {name: symbols[1] for name, symbols in wanted.items()}
        for name, capture in rig.captures.items():
            capture.choose([symbol for symbol in wanted[name] if symbol != gone[name]])
        await rig.until_moving()
        rig.read()
        heard = {name: [event["seq"] for event in rig.events["depth"] if event["market"] == name and event["symbol"] == gone[name]] for name in MARKETS}
        removed = {event["market"] for event in rig.events["integrity"] if event["reason"] == "removed"}
        assert removed == set(MARKETS) and all(gone[name] not in names(rig, name) for name in MARKETS)
        await rig.until_moving()
        rig.read()
        for name, capture in rig.captures.items():
            later = [event for event in rig.events["depth"] if event["market"] == name and event["symbol"] == gone[name]]
            assert len(later) == len(heard[name]), "a removed instrument is silent"
            capture.choose(wanted[name])
        await rig.until_moving()
        await rig.settle()
        assert rig.check_books() > 1_000 * len(MARKETS)
        rig.read()
        for name, capture in rig.captures.items():
            assert not any(feed.losses or feed.rotations for feed in capture.feeds)
            assert not [event for event in rig.losses() if event["market"] == name and event["symbol"] == stays[name]]
            seqs = [event["seq"] for event in rig.events["depth"] if event["market"] == name and event["symbol"] == gone[name]]
            assert len(seqs) > len(heard[name]) and seqs == list(range(1, len(seqs) + 1)), "its channel goes on where it stopped"


@pytest.mark.parametrize("seed", [1, 2])
async def test_pain_21_any_choice_after_any_other(seed):
    """Instruments beyond a socket's room get a new one, sockets without instruments are closed, and what stays keeps its socket and its book."""
    choice = random.Random(seed)
    small = {name: 2 for name in MARKETS}

    def row_of(row):
        return msgspec.structs.replace(row, limits=msgspec.structs.replace(row.limits, instruments_per_socket=small[row.name]))

    async with Rig(markets=MARKETS, instruments=5, row_of=row_of) as rig:
        await rig.until_synced()
        wanted = {name: everything(rig, name) for name in MARKETS}
        kept = {name: wanted[name][choice.randrange(5)] for name in MARKETS}
        for _ in range(12):
            for name, capture in rig.captures.items():
                capture.choose(sorted({kept[name], *choice.sample(wanted[name], choice.randint(0, 5))}))
            if choice.random() < 0.4:
                await rig.until_synced()
        for name, capture in rig.captures.items():
            capture.choose(wanted[name])
        await rig.until_moving()
        await rig.settle()
        rig.check_books()
        rig.read()
        for name, capture in rig.captures.items():
            assert all(1 <= len(feed.topics) <= 2 for feed in capture.feeds)
            assert not [event for event in rig.losses() if event["market"] == name and event["symbol"] == kept[name]]
            assert len(capture.instruments) == 5 and capture.faults == 0
