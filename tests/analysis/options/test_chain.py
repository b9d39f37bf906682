"""A chain's events: from the venues' own frames with figures worked out by hand, from made-up surfaces, and at the end of an expiry (design, 4.11)."""

import json
import math
from datetime import UTC, datetime

import pytest
from cext.black76 import delta, price

from p9.analysis.options.chain import Chain, ChainSettings
from p9.fact import Reading, Roster
from p9.instrument import Instrument, canonical
from p9.option import OptionMarket, Told, options_of
from tests.recordings import recording

DAY_MS = 86_400_000
HOUR_NS = 3600 * 10**9


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def option(name: str, expiry: str, strike: str, kind: str, *, base="BTC", quote="USDT", settle="", contract_value="1", exchange="binance") -> Instrument:
    expires_ns = ms(f"{expiry} 08:00") * 10**6
    return Instrument(
        exchange=exchange, market=f"{exchange}_option", venue_symbol=name, base=base, quote=quote, settle=settle or quote, kind="option", tick="0.01", step="1",
        symbol=canonical(base, quote, expires_ns=expires_ns, strike=strike, option_type=kind), strike=strike, option_type=kind, expires_ns=expires_ns,
        contract="base" if contract_value == "1" else "linear", contract_value=contract_value,
    )  # fmt: skip


def told_to(chain: Chain, told: Told, recv_ns: int) -> None:
    for symbol, at_ms, row in told.rows:
        chain.hear(told, at_ms, row, chain.options[symbol], recv_ns)


def answered(venue: OptionMarket, kind: str, answer: dict) -> Told:
    reading = Reading(Roster(()))
    next(poll for poll in venue.polls if poll.kind == kind).read(venue.market, reading, answer)
    return reading.facts[0]


def event(chain: Chain, now_ns: int) -> dict:
    """The payload, its rows as {(strike, type): {column: value}} beside each expiry."""
    found = json.loads(chain.payload(now_ns))
    for expiry in found["expiries"]:
        expiry["rows"] = {(row[0], row[1]): dict(zip(found["columns"], row, strict=True)) for row in expiry["rows"]}
    return found


# ---- the venues' own frames


def test_a_live_frame_of_the_first_venue():
    """Three options of 2026-09-23. Its marks imply 0.349000 and 0.387000, once the forward is index * exp(rf * T) and the premium discounted (worked out
    with the textbook's formula and a bisection): the venue writes 0.349 and 0.387."""
    frame = recording("binance/live_options_optionMarkPrice_2026-09.jsonl").read_bytes()
    told, at_ms = options_of("binance").read(frame), 1790161477975
    chain = Chain("binance", "BTC-USDT")
    chain.add([
        option("BTC-260925-86000-C", "2026-09-25", "86000", "C"), option("BTC-260925-86000-P", "2026-09-25", "86000", "P"),
        option("BTC-261225-92000-C", "2026-12-25", "92000", "C"),
    ])  # fmt: skip
    told_to(chain, told, at_ms * 10**6)
    found = event(chain, at_ms * 10**6)
    near, far = found["expiries"]
    assert found["index_price"] == "85879.82826087" and found["price_unit"] == "USDT" and not chain.counts
    assert near["forward"] is None and near["forward_used"] == pytest.approx(85879.82826087 * math.exp(0.0558 * near["days"] / 365), abs=1e-4)
    call, put = near["rows"]["86000", "C"], near["rows"]["86000", "P"]
    assert (call["use"], call["own_iv"], put["use"], put["own_iv"]) == ("smile", 0.349, "inner", None)
    assert far["rows"]["92000", "C"]["own_iv"] == pytest.approx(0.387, abs=5e-7)
    assert call["own_delta"] == pytest.approx(0.48723426, abs=5e-7) and put["own_delta"] == pytest.approx(0.48723426 - 1, abs=5e-7)
    expected = {
        "mark_iv": "0.349", "bid_iv": "0.34500957", "ask_iv": "0.34908772", "mark_price": "809.784", "bid_price": "800", "ask_price": "810",
        "bid_quantity": "5.08", "ask_quantity": "1.1", "delta": "0.48723426", "gamma": "0.00018682", "vega": "24.52223767", "theta": "-227.33432684",
        "open_interest": None,
    }  # fmt: skip
    assert {name: call[name] for name in expected} == expected
    assert (found["checked"], found["disagreeing"]) == (2, 0)


# symbol, expiry, strike, type; forward, the venue's volatility, and whether its mark agrees with it. All of it as recorded.
BYBIT = [
    ("SOL-28APR23-24-C", "2023-04-28", "24", "C", "20.93", "1.4674", True),
    ("ETH-30JUN23-200-P", "2023-06-30", "200", "P", "1886.16", "1.5991", True),
]


@pytest.mark.parametrize("name, expiry, strike, kind, forward, vol, agrees", BYBIT)
def test_recorded_tickers_of_the_second_venue(name, expiry, strike, kind, forward, vol, agrees):
    frames = recording("bybit/ws_mixed_v5_option_2023_tardis.jsonl").read_bytes().splitlines()
    frame = next(line for line in frames if f'"tickers.{name}"'.encode() in line)
    told = options_of("bybit").read(frame)
    (_, at_ms, _), *none = told.rows
    chain = Chain("bybit", "X")
    chain.add([option(name, expiry, strike, kind)])
    told_to(chain, told, at_ms * 10**6)
    found = event(chain, at_ms * 10**6)
    row = found["expiries"][0]["rows"][strike, kind]
    assert not none and found["expiries"][0]["forward"] == forward and row["mark_iv"] == vol
    assert row["own_iv"] == pytest.approx(float(vol), abs=2e-4), "premiums are not discounted, the forward is underlyingPrice"
    assert (found["checked"], found["disagreeing"]) == (1, 0 if agrees else 1)
    assert row["own_delta"] == pytest.approx(float(row["delta"]), abs=1e-5)
    if kind == "P":
        assert (row["ask_price"], row["ask_quantity"], row["ask_iv"], row["bid_iv"]) == (None, None, None, "1.4744"), '"0" is no quote'


def test_a_documented_summary_of_the_third_venue():
    """Its two sets of greeks stand beside each other. bidVol "0" is no bid; delta is ours undiscounted, the venue's discounted at about one percent."""
    frame = (
        b'{"arg":{"channel":"opt-summary","instFamily":"BTC-USD"},"data":[{"instType":"OPTION","instId":"BTC-USD-241013-70000-P","uly":"BTC-USD",'
        b'"delta":"-1.1180902625","gamma":"2.2361957091","vega":"0.0000000001","theta":"0.0000032334","lever":"8.465747567","markVol":"0.3675503331",'
        b'"bidVol":"0","askVol":"1.1669998535","realVol":"","deltaBS":"-0.9999672034","gammaBS":"0.0000000002","thetaBS":"28.2649858387",'
        b'"vegaBS":"0.0000114332","ts":"1728703155650","fwdPx":"62604.6993093463","volLv":"0.2044711229"}]}'
    )
    chain = Chain("okx", "BTC-USD")
    chain.add([option("BTC-USD-241013-70000-P", "2024-10-13", "70000", "P", quote="USD", settle="BTC", contract_value="0.01", exchange="okx")])
    venue = options_of("okx")
    now_ns = 1728703155650 * 10**6
    told_to(chain, venue.read(frame), now_ns)
    tickers = {"data": [{"instId": "BTC-USD-241013-70000-P", "ts": "1728703155000", "bidPx": "", "bidSz": "", "askPx": "0.1185", "askSz": "111"}]}
    told_to(chain, answered(venue, "option_tickers", tickers), now_ns)
    interest = {"data": [{"instId": "BTC-USD-241013-70000-P", "ts": "1728703155000", "oi": "36.0000000000003", "oiCcy": "0.36"}]}
    told_to(chain, answered(venue, "option_interest", interest), now_ns)
    found = event(chain, now_ns)
    row = found["expiries"][0]["rows"]["70000", "P"]
    assert found["price_unit"] == "BTC" and found["expiries"][0]["forward"] == "62604.6993093463"
    expected = {
        "mark_iv": "0.3675503331", "bid_iv": None, "ask_iv": "1.1669998535", "bid_price": None, "bid_quantity": None, "ask_price": "0.1185",
        "ask_quantity": "1.11", "open_interest": "0.36", "delta": "-0.9999672034", "theta": "28.2649858387", "delta_coin": "-1.1180902625",
        "gamma_coin": "2.2361957091", "vega_coin": "0.0000000001", "theta_coin": "0.0000032334",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_a_premium_in_coins_is_worth_its_forward():
    """A trade's own figures, as documented: 0.045 coins for an 18,000 call at a forward of 16,469.70 are 50.66 % (here to 0.2 points)."""
    at_ms, name = 1672286551080, "BTC-USD-230224-18000-C"
    chain = Chain("okx", "BTC-USD")
    chain.add([option(name, "2023-02-24", "18000", "C", quote="USD", settle="BTC", contract_value="0.01", exchange="okx")])
    told_to(chain, Told("summary", ("forward", "mark_iv"), [(name, at_ms, ("16469.69928595038", "0.5066007836914062"))]), at_ms * 10**6)
    told_to(chain, Told("marks", ("mark_price",), [(name, at_ms, ("0.045",))]), at_ms * 10**6)
    found = event(chain, at_ms * 10**6)
    assert found["expiries"][0]["rows"]["18000", "C"]["own_iv"] == pytest.approx(0.5066, abs=0.002)
    assert (found["checked"], found["disagreeing"]) == (1, 0)


# ---- made-up surfaces

NOW_MS = ms("2026-09-23 11:45")
NOW_NS = NOW_MS * 10**6
FORWARD = 86_000.0


def vol_of(k: float, years: float, level: float = 0.5) -> float:
    """A skewed smile that allows no arbitrage."""
    return level - 0.05 * math.tanh(k / math.sqrt(years)) + 0.05 * math.tanh(k / math.sqrt(years)) ** 2


class Desk:
    """A chain of one venue and the frames that fill it: `quote` changes what is told of an option."""

    ms, NOW_NS = staticmethod(ms), NOW_NS
    FIELDS = ("forward", "mark_iv", "bid_iv", "ask_iv", "mark_price", "delta", "gamma", "vega", "theta", "open_interest")

    def __init__(self, expiries=("2026-09-24", "2026-09-30", "2026-10-30", "2026-12-25"), *, settings=None, level=None):
        self.chain = Chain("x", "BTC-USDT", settings)
        self.options = []
        self.level = level or {}
        for expiry in expiries:
            years = (ms(f"{expiry} 08:00") - NOW_MS) / (365 * DAY_MS)
            strikes = {round(FORWARD * math.exp(2.4 * 0.5 * math.sqrt(years) * i / 8) / 500) * 500 for i in range(-8, 9)}
            self.options += [option(f"{expiry}/{strike}/{kind}", expiry, str(strike), kind) for strike in sorted(strikes) for kind in "CP"]
        self.chain.add(self.options)

    def texts(self, one: Instrument, at_ms: int) -> dict:
        years = (one.expires_ns / 1e6 - at_ms) / (365 * DAY_MS)
        strike, call = float(one.strike), one.option_type == "C"
        vol = vol_of(math.log(strike / FORWARD), years, self.level.get(one.expires_ns, 0.5))
        return {
            "forward": str(FORWARD), "mark_iv": f"{vol:.8f}", "bid_iv": f"{vol - 0.01:.8f}", "ask_iv": f"{vol + 0.01:.8f}",
            "mark_price": f"{price(FORWARD, strike, vol, years, call):.8f}", "delta": f"{delta(FORWARD, strike, vol, years, call):.8f}", "gamma": "0.00001",
            "vega": "10", "theta": "-1", "open_interest": "0",
        }  # fmt: skip

    def tell(self, at_ms: int = NOW_MS) -> None:
        """Every option anew."""
        self.only({one.venue_symbol: {} for one in self.options}, at_ms)

    def only(self, changes: dict[str, dict], at_ms: int = NOW_MS) -> None:
        """These options, with other texts: {name: {field: text}}."""
        rows = []
        for one in self.options:
            if one.venue_symbol in changes and one.venue_symbol in self.chain.options:
                texts = self.texts(one, at_ms) | changes[one.venue_symbol]
                rows.append((one.venue_symbol, at_ms, tuple(texts[field] for field in self.FIELDS)))
        told_to(self.chain, Told("marks", self.FIELDS, rows), at_ms * 10**6)

    def at_the_money(self, expiry: str) -> list[str]:
        """The two options of the strike nearest to the forward."""
        of = [one for one in self.options if one.venue_symbol.startswith(expiry)]
        nearest = min(of, key=lambda one: abs(float(one.strike) - FORWARD)).strike
        return [one.venue_symbol for one in of if one.strike == nearest]


def test_figures_are_those_of_the_surface_that_was_told():
    desk = Desk()
    desk.tell()
    found = event(desk.chain, NOW_NS)
    for expiry in found["expiries"]:
        years = expiry["days"] / 365
        assert expiry["atm_iv"] == pytest.approx(vol_of(0.0, years), abs=2e-3)
        for kind, sign in (("C", 1), ("P", -1)):
            low, high = 0.0, 2.0 * math.sqrt(years)
            for _ in range(60):  # the strike whose own volatility has 25 delta
                k = (low + high) / 2
                far = abs(delta(FORWARD, FORWARD * math.exp(sign * k), vol_of(sign * k, years), years, kind == "C")) > 0.25
                low, high = (k, high) if far else (low, k)
            assert expiry["call_25_iv" if kind == "C" else "put_25_iv"] == pytest.approx(vol_of(sign * low, years), abs=2e-3)
        assert expiry["risk_reversal_25"] == pytest.approx(expiry["call_25_iv"] - expiry["put_25_iv"], abs=2e-6)
        assert expiry["butterfly_25"] == pytest.approx((expiry["call_25_iv"] + expiry["put_25_iv"]) / 2 - expiry["atm_iv"], abs=2e-6)
        assert (expiry["in_smile"], expiry["not_used"], expiry["butterfly"], expiry["calendar"]) == (expiry["strikes"], {}, None, None)
    by_days = {row["days"]: row for row in found["maturities"]}
    assert list(by_days) == [7, 30, 90]
    near, far = found["expiries"][1:3]
    share = (30 - near["days"]) / (far["days"] - near["days"])
    variance = (1 - share) * near["atm_iv"] ** 2 * near["days"] + share * far["atm_iv"] ** 2 * far["days"]
    assert by_days[30]["atm_iv"] == pytest.approx(math.sqrt(variance / 30), abs=2e-6)
    assert found["term_slope"] == pytest.approx(by_days[90]["atm_iv"] - by_days[7]["atm_iv"], abs=2e-6)
    assert found["checked"] == sum(expiry["strikes"] for expiry in found["expiries"]) and found["disagreeing"] == 0
    assert desk.chain.fact.maturities[30].atm == pytest.approx(by_days[30]["atm_iv"], abs=1e-6) and desk.chain.fact.underlying == "BTC-USDT"
    assert {expiry["expiry"] for expiry in found["expiries"]} == set(desk.chain.fact.expiries)
    rebuilt = math.sqrt((far["atm_iv"] ** 2 * far["days"] - near["atm_iv"] ** 2 * near["days"]) / (far["days"] - near["days"]))
    assert far["forward_iv"] == pytest.approx(rebuilt, abs=1e-5)


@pytest.mark.parametrize(
    "texts, use",
    [
        ({"bid_iv": "0.4", "ask_iv": "0.52"}, "wide"),  # 0.12 of 0.46 is 26 %
        ({"bid_iv": "0.41", "ask_iv": "0.52"}, "smile"),  # 24 %
        ({"bid_iv": "0.52", "ask_iv": "0.4"}, "crossed"),
        ({"bid_iv": "-1.0"}, "smile"),  # a mark without a two-sided quote stands for itself
        ({"mark_iv": "0", "bid_iv": "0"}, "no_iv"),
        ({"mark_iv": ""}, "smile"),  # the middle of bid and ask
        ({"mark_iv": "0.5e1", "bid_iv": "?"}, "no_iv"),
    ],
)
def test_which_strikes_the_figures_come_from(texts, use):
    desk = Desk(("2026-10-30",))
    desk.tell()
    names = desk.at_the_money("2026-10-30")
    desk.only(dict.fromkeys(names, texts), NOW_MS + 1)
    (expiry,) = event(desk.chain, NOW_NS)["expiries"]
    uses = sorted(row["use"] for key, row in expiry["rows"].items() if key[0] == names[0].split("/")[1])
    assert uses == sorted(["inner", use])
    assert expiry["in_smile"] == expiry["strikes"] - (use != "smile") and expiry["not_used"] == ({} if use == "smile" else {use: 1})
    assert expiry["atm_iv"] == pytest.approx(0.5, abs=5e-3), "from its neighbours, where it is left out"


def test_a_middle_stands_for_a_mark_that_is_not_told():
    desk = Desk(("2026-10-30",))
    desk.tell()
    names = desk.at_the_money("2026-10-30")
    desk.only({key: {"mark_iv": "", "bid_iv": "0.6", "ask_iv": "0.64"} for key in names}, NOW_MS + 1)
    (expiry,) = event(desk.chain, NOW_NS)["expiries"]
    rows = [row for key, row in expiry["rows"].items() if key[0] == names[0].split("/")[1]]
    assert [row["delta"] for row in rows] == [None, None] and [row["mark_iv"] for row in rows] == [None, None]
    assert names[0].split("/")[1] == "86000" and expiry["atm_iv"] == pytest.approx(0.62, abs=1e-6)


def test_an_expiry_of_less_than_twelve_hours_has_rows_and_no_figures():
    desk = Desk(("2026-09-24", "2026-09-30"))
    desk.tell()
    ends_ns = ms("2026-09-24 08:00") * 10**6
    desk.tell(ms("2026-09-23 19:59"))
    before = event(desk.chain, ends_ns - 12 * HOUR_NS)["expiries"][0]
    after = event(desk.chain, ends_ns - 12 * HOUR_NS + 1)["expiries"][0]
    assert before["atm_iv"] is not None and before["in_smile"] > 0
    assert (after["atm_iv"], after["risk_reversal_25"], after["in_smile"]) == (None, None, 0)
    assert after["not_used"] == {"ending": after["strikes"]} and len(after["rows"]) == 2 * after["strikes"]
    assert all(row["mark_iv"] is not None and row["own_delta"] is not None for row in after["rows"].values())


def test_an_expiry_vanishes_at_eight_and_the_maturities_go_on():
    desk = Desk()
    ends_ms = ms("2026-09-24 08:00")
    desk.tell(ends_ms - 1000)
    before = event(desk.chain, (ends_ms - 1) * 10**6)
    after = event(desk.chain, ends_ms * 10**6)
    assert [one["expiry"] for one in after["expiries"]] == [one["expiry"] for one in before["expiries"][1:]]
    assert after["options"] == before["options"] - len(before["expiries"][0]["rows"]) == len(desk.chain.options)
    assert after["maturities"][1]["atm_iv"] == pytest.approx(before["maturities"][1]["atm_iv"], abs=1e-6)
    desk.tell(ends_ms + 1000)  # `only` tells of what the chain still has
    assert event(desk.chain, (ends_ms + 1000) * 10**6)["expiries"][0]["in_smile"] > 0


def test_a_quote_that_is_too_old_tells_nothing():
    desk = Desk(("2026-10-30",), settings=ChainSettings(stale_s=90.0))
    desk.tell()
    names = desk.at_the_money("2026-10-30")
    fresh = {one.venue_symbol: {} for one in desk.options if one.venue_symbol not in names}
    desk.only(fresh, NOW_MS + 90_001)
    (expiry,) = event(desk.chain, (NOW_MS + 90_001) * 10**6)["expiries"]
    old = [row for key, row in expiry["rows"].items() if key[0] == names[0].split("/")[1]]
    assert {row["use"] for row in old} <= {"stale", "inner"} and "stale" in {row["use"] for row in old} and expiry["not_used"] == {"stale": 1}
    all_old = event(desk.chain, (NOW_MS + 200_000) * 10**6)
    (expiry,) = all_old["expiries"]
    assert (expiry["forward_used"], expiry["atm_iv"], all_old["index_price"]) == (None, None, None)
    assert {row["use"] for row in expiry["rows"].values()} == {"stale"} and {row["mark_iv"] for row in expiry["rows"].values()} == {None}


def test_nothing_keeps_a_volatility_fresh_but_itself():
    """Open interest goes on, marks do not: the row tells the interest of now, and no volatility of then."""
    desk = Desk(("2026-10-30",))
    desk.tell()
    told_to(desk.chain, Told("quotes", ("bid_price",), [(one.venue_symbol, NOW_MS, ("1.50",)) for one in desk.options]), NOW_MS * 10**6)
    told_to(desk.chain, Told("interest", ("open_interest",), [(one.venue_symbol, NOW_MS, ("9",)) for one in desk.options]), (NOW_MS + 80_000) * 10**6)
    (expiry,) = event(desk.chain, (NOW_MS + 85_000) * 10**6)["expiries"]
    assert {(row["open_interest"], row["bid_price"], row["mark_iv"] is None) for row in expiry["rows"].values()} == {("9", "1.5", False)}
    (expiry,) = event(desk.chain, (NOW_MS + 95_000) * 10**6)["expiries"]
    assert {row["use"] for row in expiry["rows"].values()} == {"stale"} and expiry["atm_iv"] is None
    desk.tell(NOW_MS + 95_000)  # and marks of now make no bid of then a new one
    (expiry,) = event(desk.chain, (NOW_MS + 96_000) * 10**6)["expiries"]
    assert {(row["bid_price"], row["mark_iv"] is None) for row in expiry["rows"].values()} == {(None, False)}


def test_an_option_of_which_nothing_was_told_has_a_row_of_nothing():
    desk = Desk(("2026-10-30",))
    (expiry,) = event(desk.chain, NOW_NS)["expiries"]
    assert {row["use"] for row in expiry["rows"].values()} == {"silent"} and expiry["atm_iv"] is None
    assert all(value is None for row in expiry["rows"].values() for name, value in row.items() if name not in ("strike", "type", "use"))


def test_a_mark_that_does_not_fit_its_volatility_is_counted():
    desk = Desk(("2026-10-30",))
    desk.tell()
    names = desk.at_the_money("2026-10-30")
    one = desk.chain.options[names[0]].instrument
    years = (one.expires_ns / 1e6 - NOW_MS) / (365 * DAY_MS)
    vol = float(desk.texts(one, NOW_MS)["mark_iv"])
    for apart, disagreeing in ((0.009, 0), (0.011, 1)):
        mark = {name: {"mark_price": f"{price(FORWARD, float(one.strike), vol + apart, years, name.endswith('C')):.8f}"} for name in names}
        desk.only(mark, NOW_MS + 1)
        found = event(desk.chain, NOW_NS)
        assert found["disagreeing"] == found["expiries"][0]["disagreeing"] == disagreeing
        outer = next(row for row in found["expiries"][0]["rows"].values() if row["strike"] == one.strike and row["use"] == "smile")
        assert outer["own_iv"] == pytest.approx(vol + apart, abs=1e-6)


def test_rounding_alone_is_no_disagreement():
    """A premium of a wing, written to two decimals: its volatility is off by points, its price by less than half a cent."""
    at_ms, name = NOW_MS, "X"
    chain = Chain("x", "BTC-USDT")
    chain.add([option(name, "2026-09-30", "113000", "C"), option("Y", "2026-09-30", "86000", "C")])
    years = (ms("2026-09-30 08:00") - at_ms) / (365 * DAY_MS)
    worth = price(86_000, 113_000, 0.45, years, True)
    assert 0.005 < worth < 0.01
    fields = ("forward", "mark_iv", "mark_price")
    told_to(chain, Told("marks", fields, [("Y", at_ms, ("86000", "0.45", "1234.56")), (name, at_ms, ("86000", "0.45", f"{worth:.2f}"))]), at_ms * 10**6)
    found = event(chain, at_ms * 10**6)
    assert chain.options[name].agrees is True and found["expiries"][0]["rows"]["113000", "C"]["own_iv"] is None


def test_arbitrages_are_told_with_their_strike():
    desk = Desk(("2026-10-30", "2026-12-25"), level={ms("2026-12-25 08:00") * 10**6: 0.2})
    desk.tell()
    names = desk.at_the_money("2026-10-30")
    desk.only({key: {"mark_iv": "0.9", "bid_iv": "0.89", "ask_iv": "0.91"} for key in names}, NOW_MS + 1)
    found = event(desk.chain, NOW_NS)
    near, far = found["expiries"]
    assert near["butterfly"]["worst_strike"] == float(names[0].split("/")[1]) and near["butterfly"]["strikes"] >= 1 and near["calendar"] is None
    assert far["calendar"]["strikes"] > 5 and far["calendar"]["worst_strike"] == float(names[0].split("/")[1]), "0.9 at the nearer expiry is the greatest fall"
    assert found["arbitrage"] == {"butterfly": near["butterfly"]["strikes"], "calendar": far["calendar"]["strikes"]}
    assert far["forward_iv"] is None, "no volatility between two dates makes variance fall"


def test_older_rows_are_passed_over_and_what_cannot_be_read_is_counted():
    desk = Desk(("2026-10-30",))
    desk.tell()
    name = desk.options[0].venue_symbol
    desk.only({name: {"open_interest": "7"}}, NOW_MS - 1)
    assert desk.chain.counts == {"older": 1}
    desk.only({name: {"open_interest": "-7", "vega": "1e3", "gamma": None, "mark_price": "12,5"}}, NOW_MS)
    assert desk.chain.counts == {"older": 1, "malformed": 2}
    row = event(desk.chain, NOW_NS)["expiries"][0]["rows"][desk.options[0].strike, desk.options[0].option_type]
    assert (row["open_interest"], row["mark_price"]) == (None, None)
    assert row["vega"] > 0 and row["gamma"] > 0, "ours, as numbers, where the venue's cannot be read"


@pytest.mark.parametrize("wrong_ms", [NOW_MS * 1000, NOW_MS // 1000, 0, -5])
def test_a_time_in_another_unit_makes_nothing_old(wrong_ms):
    desk = Desk(("2026-10-30",))
    desk.tell()
    one = desk.options[0]
    for n, (at_ms, interest) in enumerate([(wrong_ms, "1"), (NOW_MS + 2000, "2")], 1):
        told_to(desk.chain, Told("marks", ("open_interest",), [(one.venue_symbol, at_ms, (interest,))]), (NOW_MS + 1000 * n) * 10**6)
        assert event(desk.chain, NOW_NS)["expiries"][0]["rows"][one.strike, one.option_type]["open_interest"] == interest
    assert desk.chain.counts == {"odd_time": 1} and desk.chain.event_ms == NOW_MS + 2000


def test_an_event_is_bounded_and_keeps_what_is_near_the_forward():
    desk = Desk(settings=ChainSettings(max_rows=40))
    desk.tell()
    found = event(desk.chain, NOW_NS)
    assert [len(expiry["rows"]) for expiry in found["expiries"]] == [10] * 4
    for expiry in found["expiries"]:
        assert expiry["left_out"] == 2 * expiry["strikes"] - 10 and expiry["in_smile"] == expiry["strikes"]
        kept = {float(strike) for strike, _ in expiry["rows"]}
        left = {float(one.strike) for one in desk.options if one.expires_ns == expiry["expiry"]} - kept
        assert max(abs(math.log(strike / FORWARD)) for strike in kept) <= min(abs(math.log(strike / FORWARD)) for strike in left)


def test_an_event_takes_less_than_180_bytes_an_option():
    """So the largest chain of September 2026, 752 options, stays below half of what one connection may have in flight."""
    desk = Desk()
    desk.tell()
    assert len(desk.chain.payload(NOW_NS)) < 180 * len(desk.options) + 4000
