"""What keeps a running appliance on its rails: a configuration that is wrong, another one that is good, a venue's clock that is set."""

import time
from pathlib import Path
from typing import Any

import yaml

from p9.config import Config, parse
from p9.config.plain import plain
from p9.errors import ConfigError
from p9.quicktest.trial import Trial

RELOAD_S = 10.0
CLOCK_S = 30.0
AHEAD_S = 0.4  # over what is suspect, below what is suspended
MAJOR_FLOOR, OTHER_FLOOR = 123_457.0, 23_457.0  # of a block trade; nobody's default


class ConfigFile:
    """The file that the appliance under test watches: a copy of what is in force, which may be spoiled. The user's own is not touched."""

    def __init__(self, path: Path, config: Config):
        self.path, self.tree = path, plain(config)
        self.write()

    def write(self, text: str | None = None) -> None:
        self.path.write_text(yaml.safe_dump(self.tree) if text is None else text, encoding="utf-8")


def name_mistakes(trial: Trial) -> None:
    """Before anything starts."""
    try:
        parse("redis: {urll: x}")
        trial.note("a mistake in the configuration is named", False, "it was taken")
    except ConfigError as error:
        trial.note("a mistake in the configuration is named", "redis.urll" in str(error) and "'url'" in str(error), error)


async def refuse(trial: Trial, file: ConfigFile) -> None:
    """The last good configuration stays in force, and that is told."""
    reload, config, sockets = trial.appliance.reload, trial.appliance.config, _sockets(trial)
    assert reload is not None
    before = reload.refusals
    file.write("redis: {urll: x}\n")
    reload.wake()
    refused = await trial.until(lambda: reload.refusals > before, RELOAD_S)
    kept = trial.appliance.config is config and _sockets(trial) == sockets

    async def told() -> list[str]:
        return [event["detail"] for event in await trial.stream("integrity:all:-") if event["kind"] == "configuration" and "urll" in event["detail"]]

    found = await trial.eventually(told, RELOAD_S)
    trial.note("a wrong file while it runs changes nothing and is told", refused and kept and found, found[0] if found else f"refused: {refused}, kept: {kept}")


async def change(trial: Trial, file: ConfigFile) -> None:
    """Thresholds and intervals of what runs; on simulated venues also those that what follows would have to wait for."""
    reload, sockets, analytics = trial.appliance.reload, _sockets(trial), file.tree["analytics"]
    assert reload is not None
    before = reload.reloads
    analytics["block_trades"] |= {"major_floor": MAJOR_FLOOR, "other_floor": OTHER_FLOOR}
    if trial.simulator is not None:
        file.tree["monitors"] |= {"clock_interval": "1s", "calm": "1s"}
        for section in ("open_interest", "insurance_fund_monitor"):
            analytics[section]["poll_interval"] = "2s"
        if trial.full:
            analytics["reference"] |= {"poll_interval": "5s", "instruments_interval": "20s"}
        analytics["spoofing"]["least_adds"] = 100
        analytics["signals"] |= {"total_enter": 0.1, "total_leave": 0.05}  # that venues agree is told, however little they say
        analytics["stop_triggers"] |= {"swing_bar": "1s", "swing_bars": 2}
    file.write()
    reload.wake()
    applied = await trial.until(lambda: reload.reloads > before, RELOAD_S)
    now = _sockets(trial)
    lost = sum(now.get(name) != state for name, state in sockets.items())
    in_force = trial.appliance.config.analytics.block_trades.major_floor == MAJOR_FLOOR and not reload.restart
    figure = f"{lost} of {len(sockets)} sockets lost" if applied else f"not applied: {reload.error}"
    trial.note("thresholds change while it runs, without a reconnect", applied and in_force and not lost and now, figure)


def _sockets(trial: Trial) -> dict[str, Any]:
    """{socket: (reconnects, rotations)}"""
    return {f"{name} {feed.name}": (feed.losses, feed.rotations) for name, capture in trial.appliance.captures.items() for feed in capture.feeds}


async def skew(trial: Trial) -> None:
    """A venue's clock runs ahead for a while: its events are flagged meanwhile, and both ends are told."""
    assert trial.simulator is not None and trial.watcher is not None
    exchange = list(trial.appliance.venue_clocks)[-1]
    clock, watcher = trial.appliance.venue_clocks[exchange], trial.watcher
    flag = (exchange, "suspect_time")

    async def set_ahead(for_s: float) -> float:
        await trial.simulator.post("/oracle/fault", {"fault": "skew", "market": exchange, "for_s": for_s})
        return time.monotonic()

    began_s = await set_ahead(AHEAD_S)
    found = await trial.until(lambda: clock.state != "normal" and watcher.flags[flag] > 0, CLOCK_S)  # on a machine that is busy it may seem to be worse
    found_s, n_flagged = time.monotonic() - began_s, watcher.flags[flag]
    began_s = await set_ahead(0.0)
    back = await trial.until(lambda: clock.state == "normal", CLOCK_S)
    back_s = time.monotonic() - began_s

    async def states() -> list[str]:
        told = [event["state"] for event in await trial.stream("integrity:all:-") if event["kind"] == "skew" and event["source"] == exchange]
        return told if told[-1:] == ["normal"] else []

    told = await trial.eventually(states, RELOAD_S)
    figure = f"{exchange} {AHEAD_S * 1000:.0f} ms ahead: {' then '.join(told)}; found after {found_s:.1f} s ({n_flagged} events flagged), over after {back_s:.1f} s"
    trial.note("a venue's clock that is off is told, and its end", found and back and told[-2:] == ["suspect", "normal"], figure)
