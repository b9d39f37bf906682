"""What the driver publishes: a few channels of each class."""

CRITICAL, HIGH, MEDIUM, LOW = range(4)

# (type, symbol, class); a channel's number in here is its number in the ledger
CHANNELS = [
    *(("integrity", f"C{n}-USDT", CRITICAL) for n in range(2)),
    *(("trades", f"H{n}-USDT", HIGH) for n in range(8)),
    *(("snapshots", f"M{n}-USDT", MEDIUM) for n in range(2)),
    ("book_ticker", "L0-USDT", LOW),
]
NAMES = [f"{kind}:venue:{symbol}" for kind, symbol, _ in CHANNELS]
DURABLE = [n for n, (_, _, cls) in enumerate(CHANNELS) if cls <= HIGH]
CLASS_OF = {NAMES[n]: ("CRITICAL", "HIGH", "MEDIUM", "LOW")[cls] for n, (_, _, cls) in enumerate(CHANNELS)}

_LEVELS = b"[" + b",".join(b'["%d.5","1.25"]' % (100 + n) for n in range(50)) + b"]"
PAYLOADS = {
    "integrity": b'{"kind":"chaos","detail":"%d"}',
    "trades": b'{"price":"63000.25","quantity":"0.125","side":"buy","buyer_is_maker":false,"trade_id":"%d","first_trade_id":null,"last_trade_id":null,'
    b'"off_book":false,"block":false}',
    "snapshots": b'{"depth_epoch":null,"depth_seq":null,"update_id":%d,"valid_bid":null,"valid_ask":null,"bids":' + _LEVELS + b',"asks":[]}',
    "book_ticker": b'{"bid_price":"1","bid_quantity":"1","ask_price":"2","ask_quantity":"1","spread":"1","spread_bps":null,"mid":"1.5","micro_price":"1.5",'
    b'"imbalance":0,"imbalance_5":null,"update_id":%d}',
}
