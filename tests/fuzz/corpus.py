"""Good frames and REST books of each venue to begin with: the decoders' fixtures, a few of our own, and recordings where there are some."""

import os
import re
from functools import cache
from pathlib import Path

from p9.capture.recording import read
from p9.errors import RecordingError

FIXTURES = Path(__file__).parents[1] / "cext" / "venues"
RECORDINGS = Path(os.environ.get("P9_RECORDINGS") or Path(__file__).parents[3] / "shared" / "recordings")
LINES_READ = 500  # of one recording
A_SHAPE = 2  # frames of one recording that look alike
LONGEST = 6_000  # bytes: what is longer says nothing new, slower

BINANCE = [
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1790000000123,"s":"BTCUSDT","U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.0026","100"],["0.0027","0"]]}}',
    b'{"e":"depthUpdate","E":1790000000123,"s":"BTCUSDT","U":157,"u":160,"b":[["99999.99","10.5"],["99999.98","0.00000"]],"a":[]}',
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1790000000123,"T":1790000000120,"s":"BTCUSDT","U":157,"u":160,"pu":149,'
    b'"b":[["7403.89","0.002"],["7403.90","3.906"]],"a":[["7405.96","3.340"],["7406.63","4.525"]]}}',
    b'{"e":"depthUpdate","E":1790000000123,"T":1790000000120,"s":"BTCUSD_PERP","ps":"BTCUSD","U":17285681,"u":17285702,"pu":17285675,"b":[["9517.6","10"]],"a":[["9518.5","45"]]}',
    b'{"u":400900217,"s":"BNBBTC","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}',
    b'{"stream":"bnbbtc@bookTicker","data":{"u":400900217,"s":"BNBBTC","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}}',
    b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":400900217,"E":1790000000123,"T":1790000000120,"s":"BTCUSDT","b":"25.35","B":"31.2","a":"25.36","A":"0"}}',
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1790000000123,"s":"BTCUSDT","t":12345,"p":"0.001","q":"100","T":1790000000120,"m":true,"M":true}}',
    b'{"e":"trade","E":1790000000123,"T":1790000000120,"s":"BTCUSDT","t":12345,"p":"50000.1","q":"0.1","X":"MARKET","m":false}',
    b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1790000000123,"s":"BTCUSDT","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":1790000000120,"m":true,"M":true}}',
    b'{"stream":"btcusdt@depth5","data":{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}}',
    b'{"stream":"!ticker@arr","data":[{"e":"24hrTicker","s":"BTCUSDT","p":"0.0015"}]}',
    b'{"result":null,"id":1}',
    b'{"error":{"code":2,"msg":"Invalid request: unknown variant"},"id":1}',
    b'{"e":"serverShutdown","E":1790000000123}',
    '{"stream":"币安人生usdt@bookTicker","data":{"u":4,"s":"币安人生USDT","b":"0.25","B":"31","a":"0.26","A":"40"}}'.encode(),
]
BINANCE_BODIES = [
    b'{"lastUpdateId":1027024,"bids":[["4.00000000","431.00000000"],["3.99","1"]],"asks":[["4.00000200","12.00000000"]]}',
    b'{"lastUpdateId":16769853,"symbol":"BTCUSD_PERP","pair":"BTCUSD","E":1790000000123,"T":1790000000120,"bids":[["9638.0","431"]],"asks":[["9638.2","12"]]}',
]


def _fixtures(venue: str, rest: bool) -> list[bytes]:
    paths = sorted(path for path in (FIXTURES / venue).glob("*.jsonl") if ".golden." not in path.name)
    return [frame for path in paths if ("rest_" in path.name) == rest for frame in path.read_bytes().splitlines() if frame.strip()]


def _recorded(venue: str, rest: bool) -> list[bytes]:
    found: dict[tuple, bytes] = {}
    for path in sorted((RECORDINGS / venue).glob("*.jsonl*")) + sorted((RECORDINGS / venue).glob("rec_*.txt.gz")):
        try:
            for n, line in enumerate(read(path)):
                if n > LINES_READ:
                    break
                if line.rest != rest or len(line.raw) > LONGEST:
                    continue
                # names and sizes apart, frames that look alike are alike
                shape = (path.name, re.sub(rb"[^a-zA-Z{\[]+", b"", line.raw[:120]), len(line.raw).bit_length())
                for copy in range(A_SHAPE):
                    if found.setdefault((*shape, copy), line.raw) is line.raw:
                        break
        except RecordingError:
            continue
    return list(found.values())[:400]


@cache
def frames(venue: str) -> list[bytes]:
    """WebSocket frames: some good, some refused."""
    return _fixtures(venue, False) + (BINANCE if venue == "binance" else []) + _recorded(venue, False)


@cache
def bodies(venue: str) -> list[bytes]:
    """REST order books."""
    return _fixtures(venue, True) + (BINANCE_BODIES if venue == "binance" else []) + _recorded(venue, True)
