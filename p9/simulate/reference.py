"""What changes of a venue's reference data while it runs, by the oracle's door: instruments that go, come back, get another name, tick, lot, status or last day;
maintenance of the venue. And the streams that push it."""

from dataclasses import dataclass, replace
from decimal import Decimal

from p9.simulate import binance_streams, bybit_streams, okx_streams
from p9.simulate.instrument import Instrument
from p9.simulate.rest import dumps
from p9.simulate.scale import plain

WORDS = ("tick", "lot", "contract_value", "status", "last_day_ms", "gone", "rename")


@dataclass
class Work:
    """Maintenance of one venue. `data`: it concerns market data."""

    venue: str
    id: str
    title: str
    state: str
    begin_ms: int
    end_ms: int
    data: bool = True


class ReferenceData:
    """`venues`: the first venue's markets by name, the second venue, the third. Changes are pushed to whoever listens."""

    def __init__(self, binance: dict, bybit, okx):
        self._binance, self._bybit, self._okx = binance, bybit, okx
        self.works: list[Work] = []
        self.contract_ears: list[ContractInfo] = []
        self.instrument_ears: list[InstrumentRows] = []
        self.status_ears: list[SystemStatus | StatusRows] = []

    # ------------------------------------------------------------------ instruments

    def change(self, one: Instrument, asked: dict, now_ms: int) -> None:
        """`asked`: some of WORDS. Raises ValueError."""
        if not asked or set(asked) - set(WORDS):
            raise ValueError(f"known are {', '.join(WORDS)}")
        if "rename" in asked:
            self._take_away(one)
            one.symbol = str(asked["rename"])
            one.listing = replace(one.listing, symbol=one.symbol)
            self._put_back(one)
        for word in ("tick", "lot"):
            if word in asked:
                one.listing = replace(one.listing, **{word: str(asked[word])})
        if "contract_value" in asked:
            one.listing = replace(one.listing, contract_value=Decimal(str(asked["contract_value"])))
        if "status" in asked:
            one.status = str(asked["status"])
        if "last_day_ms" in asked:
            one.last_day_ms = int(asked["last_day_ms"])
        if "gone" in asked and bool(asked["gone"]) != one.gone:
            one.gone = bool(asked["gone"])
            (self._take_away if one.gone else self._put_back)(one)
        for ear in [*self.contract_ears, *self.instrument_ears]:
            ear.hear(one, now_ms)

    def _places(self, one: Instrument) -> list[dict]:
        if one.market in self._binance:
            return [self._binance[one.market].instruments]
        if one.market.startswith("bybit"):
            return [self._bybit.categories[one.market.removeprefix("bybit_")].instruments]
        return [self._okx.instruments, self._okx.by_type[okx_streams.inst_type(one)]]

    def _take_away(self, one: Instrument) -> None:
        """Its streams fall silent, whoever has subscribed."""
        for place in self._places(one):
            place.pop(one.symbol, None)
        for stream in list(one.streams):
            if hasattr(stream, "subscribers"):
                stream.subscribers.clear()

    def _put_back(self, one: Instrument) -> None:
        for place in self._places(one):
            place[one.symbol] = one

    # ------------------------------------------------------------------ the venue

    def announce(self, work: Work, now_ms: int) -> None:
        """New work, or another state of it."""
        self.works = [each for each in self.works if (each.venue, each.id) != (work.venue, work.id)] + [work]
        for ear in self.status_ears:
            ear.hear(work, now_ms)

    def of(self, venue: str) -> list[Work]:
        return [work for work in self.works if work.venue == venue]

    def first_status(self) -> str:
        """The first venue tells no more than this."""
        down = any(work.state == "ongoing" for work in self.of("binance"))
        return '{"status":1,"msg":"system maintenance"}' if down else '{"status":0,"msg":"normal"}'

    def second_status(self) -> str:
        return dumps({"list": [second_row(work) for work in self.of("bybit")]})

    def third_status(self) -> list[str]:
        """Without asking for a state: what is not over."""
        return [dumps(third_row(work)) for work in self.of("okx") if work.state in ("scheduled", "ongoing")]


def second_row(work: Work) -> dict:
    return {
        "id": work.id, "title": work.title, "state": work.state, "begin": str(work.begin_ms), "end": str(work.end_ms), "href": "",
        "serviceTypes": [1, 2, 5] if work.data else [3], "product": [1, 2], "uidSuffix": [], "maintainType": 1, "env": 1,
    }  # fmt: skip


def third_row(work: Work) -> dict:
    return {
        "begin": str(work.begin_ms), "end": str(work.end_ms), "env": "1", "href": "", "maintType": "1", "preOpenBegin": "", "scheDesc": "",
        "serviceType": "0" if work.data else "11", "state": work.state, "system": "unified", "title": work.title,
    }  # fmt: skip


class ContractInfo(binance_streams.Stream):
    """!contractInfo: one frame for each change of a contract."""

    def __init__(self, name: str, reference: ReferenceData, market: str):
        super().__init__(name, None)
        self._reference, self._market = reference, market
        reference.contract_ears.append(self)

    def hear(self, one: Instrument, now_ms: int) -> None:
        if one.market == self._market:
            listing = one.listing
            status = "CLOSE" if one.gone else one.status or "TRADING"
            last_ms = one.last_day_ms or listing.expiry_ms or 4_133_404_800_000
            self.publish(
                f'{{"e":"contractInfo","E":{now_ms},"s":"{one.symbol}","ps":"{listing.pair}","ct":"{listing.contract}","dt":{last_ms},'
                f'"ot":1569398400000,"cs":"{status}"{binance_streams.suffix(one)}'
            )


class SystemStatus(bybit_streams.Topic):
    """system.status, on a socket of its own."""

    def __init__(self, name: str, instrument: Instrument, reference: ReferenceData):
        super().__init__(name, instrument)
        reference.status_ears.append(self)

    def hear(self, work: Work, now_ms: int) -> None:
        if work.venue == "bybit":
            self.publish(f'{{"topic":"{self.name}","ts":{now_ms},"data":[{dumps(second_row(work))}]}}')


class StatusRows(okx_streams.Channel):
    """status: the latest item at once, then each change."""

    def __init__(self, instruments: list[Instrument], reference: ReferenceData):
        super().__init__(instruments)
        self._reference = reference
        reference.status_ears.append(self)

    def hear(self, work: Work, now_ms: int) -> None:
        if work.venue == "okx":
            self.publish(self._tail(work, now_ms))

    def first_tail(self, now_ms: int) -> str | None:
        works = self._reference.of("okx")
        return self._tail(works[-1], now_ms) if works else None

    @staticmethod
    def _tail(work: Work, now_ms: int) -> str:
        return f'"data":[{dumps(third_row(work) | {"ts": str(now_ms)})}]}}'


class InstrumentRows(okx_streams.Channel):
    """instruments of one type: the rows that changed. `row(instrument, place)` is the one of REST."""

    def __init__(self, instruments: list[Instrument], reference: ReferenceData, row):
        super().__init__(instruments)
        self._row, self._type = row, okx_streams.inst_type(instruments[0])
        reference.instrument_ears.append(self)

    def hear(self, one: Instrument, now_ms: int) -> None:
        if one.market.startswith("okx") and okx_streams.inst_type(one) == self._type:
            row = self._row(one) | ({"state": "expired"} if one.gone else {})
            self.publish(f'"data":[{dumps(row)}]}}')


def price_tick(one: Instrument) -> str:
    return plain(Decimal(one.listing.tick))


def price_lot(one: Instrument) -> str:
    return plain(Decimal(one.listing.lot))
