"""The first venue's reference data by REST: what is listed, on which terms, and what stands behind it."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from p9.simulate import adl
from p9.simulate.catalogue import PERPETUAL_MS
from p9.simulate.instrument import EIGHT_HOURS_MS, Instrument
from p9.simulate.rest import dumps
from p9.simulate.scale import plain


class BinanceReference:
    """`rest` reads parameters and spends weight; it is the one that answers."""

    def __init__(self, rest: Any):
        self._rest, self._market = rest, rest.market
        self.routes: dict[str, Callable[[Any], str]] = {"/exchangeInfo": self._exchange_info}
        if rest.futures:
            self.routes["/fundingInfo"] = self._funding_info
        if rest.futures and not rest.inverse:
            self.routes |= {"/insuranceBalance": self._insurance, "/symbolAdlRisk": self._adl_risk, "/tradingSchedule": self._schedule}

    def _exchange_info(self, query) -> str:
        self._rest.weights.spend(1 if self._rest.futures else 20)
        some = list(self._market.instruments.values())
        if not self._rest.futures and "symbol" in query:
            some = [self._rest.one(query)]
        describe = self._futures_symbol if self._rest.futures else self._spot_symbol
        limits = [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self._rest.weights.limit},
        ]
        if self._rest.futures:
            limits.append({"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200})
            limits.append({"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300})
        else:
            limits.append({"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100})
            limits.append({"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300000})
        info = {
            "timezone": "UTC",
            "serverTime": int(time.time() * 1000) - 10 * 3_600_000,  # a cached value: hours old
            "rateLimits": limits,
            "exchangeFilters": [],
        }
        if self._rest.futures and not self._rest.inverse:
            info["assets"] = [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}]
        info["symbols"] = [describe(one) for one in some]
        return dumps(info)

    def _spot_symbol(self, one: Instrument) -> dict:
        listing = one.listing
        return {
            "symbol": one.symbol,
            "status": one.status or "TRADING",
            "baseAsset": listing.base,
            "baseAssetPrecision": 8,
            "quoteAsset": listing.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": [
                "LIMIT",
                "LIMIT_MAKER",
                "MARKET",
                "STOP_LOSS",
                "STOP_LOSS_LIMIT",
                "TAKE_PROFIT",
                "TAKE_PROFIT_LIMIT",
            ],
            "icebergAllowed": True,
            "ocoAllowed": True,
            "otoAllowed": True,
            "opoAllowed": True,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": True,
            "cancelReplaceAllowed": True,
            "amendAllowed": True,
            "pegInstructionsAllowed": True,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": True,
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": listing.tick,
                    "maxPrice": "1000000.00000000",
                    "tickSize": listing.tick,
                },
                {"filterType": "LOT_SIZE", "minQty": listing.lot, "maxQty": "9000.00000000", "stepSize": listing.lot},
                {"filterType": "ICEBERG_PARTS", "limit": 100},
                {
                    "filterType": "MARKET_LOT_SIZE",
                    "minQty": "0.00000000",
                    "maxQty": "119.17512541",
                    "stepSize": "0.00000000",
                },
                {
                    "filterType": "NOTIONAL",
                    "minNotional": "5.00000000",
                    "applyMinToMarket": True,
                    "maxNotional": "9000000.00000000",
                    "applyMaxToMarket": False,
                    "avgPriceMins": 5,
                },
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            ],
            "permissions": [],
            "permissionSets": [["SPOT", "MARGIN"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"],
        }

    def _futures_symbol(self, one: Instrument) -> dict:
        listing = one.listing
        tick, lot = plain(Decimal(listing.tick)), plain(Decimal(listing.lot))
        row = {
            "symbol": one.symbol,
            "pair": listing.pair,
            "contractType": listing.contract,
            "deliveryDate": one.last_day_ms or listing.expiry_ms or PERPETUAL_MS,
            "onboardDate": 1_569_398_400_000,
            "contractStatus" if self._rest.inverse else "status": one.status or "TRADING",
        }
        if self._rest.inverse:
            row["contractSize"] = int(listing.contract_value)
        row |= {
            "maintMarginPercent": "2.5000",
            "requiredMarginPercent": "5.0000",
            "baseAsset": listing.base,
            "quoteAsset": listing.quote,
            "marginAsset": listing.settle,
            "pricePrecision": one.px.decimals,
            "quantityPrecision": one.qty.decimals,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
        }
        if self._rest.inverse:
            row["equalQtyPrecision"] = 4
        row |= {
            "underlyingType": "COIN",
            "underlyingSubType": ["PoW"],
            "triggerProtect": "0.0500",
            "liquidationFee": "0.012500",
            "marketTakeBound": "0.05",
            "filters": [
                {"maxPrice": "4529764", "filterType": "PRICE_FILTER", "minPrice": tick, "tickSize": tick},
                {"minQty": lot, "stepSize": lot, "filterType": "LOT_SIZE", "maxQty": "1000000"},
                {"maxQty": "120000", "filterType": "MARKET_LOT_SIZE", "minQty": lot, "stepSize": lot},
                {"limit": 200, "filterType": "MAX_NUM_ORDERS"},
                {"notional": "5.0", "filterType": "MIN_NOTIONAL"},
                {
                    "multiplierDown": "0.9500",
                    "multiplierUp": "1.0500",
                    "multiplierDecimal": "4",
                    "filterType": "PERCENT_PRICE",
                },
            ],
            "orderTypes": [
                "LIMIT",
                "MARKET",
                "STOP",
                "STOP_MARKET",
                "TAKE_PROFIT",
                "TAKE_PROFIT_MARKET",
                "TRAILING_STOP_MARKET",
            ],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        }
        return row

    def _funding_info(self, query) -> str:
        """Only symbols whose settings were adjusted: the caps of every fifth perpetual, and who does not pay each eight hours."""
        perpetuals = [one for one in self._market.instruments.values() if one.listing.expiry_ms is None]
        return dumps(
            [
                {
                    "symbol": one.symbol,
                    "adjustedFundingRateCap": "0.02500000",
                    "adjustedFundingRateFloor": "-0.02500000",
                    "fundingIntervalHours": one.funding_interval_ms // 3_600_000,
                    "disclaimer": False,
                }
                for place, one in enumerate(perpetuals)
                if place % 5 == 4 or one.funding_interval_ms != EIGHT_HOURS_MS
            ]
        )

    def _schedule(self, query) -> str:
        """Of what has trading hours elsewhere: yesterday's, today's and tomorrow's."""
        self._rest.weights.spend(5)
        day = 86_400_000
        today_ms = int(time.time() * 1000) // day * day
        sessions = [
            {"startTime": at, "endTime": at + hours * 3_600_000, "type": kind}
            for back in (-1, 0, 1)
            for at, hours, kind in ((today_ms + back * day, 4, "OVERNIGHT"), (today_ms + back * day + 14 * 3_600_000, 7, "REGULAR"))
        ]
        return dumps({"updateTime": today_ms, "marketSchedules": {"EQUITY": {"sessions": sessions}, "COMMODITY": {"sessions": []}}})

    def _insurance(self, query) -> str:
        self._rest.weights.spend(1)
        if "symbol" in query:
            self._rest.one(query)
        return self._market.insurance.first(query.get("symbol"), int(time.time() * 1000))

    def _adl_risk(self, query) -> str:
        some = self._rest.some(query, 1, 1)
        at_ms = int(time.time() * 1000) // 1_800_000 * 1_800_000
        return self._rest.shape(
            query, [dumps({"symbol": one.symbol, "adlRisk": adl.risk(self._market.insurance, one.symbol), "updateTime": at_ms}) for one in some]
        )
