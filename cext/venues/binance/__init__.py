"""Binance's market data frames and REST order books to events: spot, USDⓈ-M and COIN-M futures.

Sources: developers.binance.com, "WebSocket Streams for Binance" (spot) and "Websocket Market Streams" (futures).

| stream                   | becomes     | ids                                              | time     | read in |
|--------------------------|-------------|--------------------------------------------------|----------|---------|
| `@depth`, `@depth@100ms` | EVENT_DEPTH | first U, last u, prev pu (futures), cross u      | T, else E| depth   |
| `@depth5`, `@depth10` …  | ignored     | a top-N image in the same shape: never to merge  |          |         |
| `@bookTicker`            | EVENT_BBO   | last u, cross u                                  | T, else E| bbo     |
| `@aggTrade`              | EVENT_TRADE | agg_id a, fills f..l; trade_id a                 | T        | trade   |
| `@trade`                 | EVENT_TRADE | fill t; trade_id t                               | T        | trade   |

The stream's name decides what a frame is (topic): futures send partial and diff depth in the same shape, and spot's bookTicker names no event.
A frame without a stream (a raw connection) is read by its `e`, or as spot's bookTicker where it has none.
"""
