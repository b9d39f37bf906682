"""What became of each book, and what delivery, clocks and venues say of themselves, against what the simulator did to them: every loss has its cause, with the ids around
the frame that was missed, every cause its loss, and nothing else is told."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from p9.instrument import Instrument
from p9.quicktest.episodes import Event, episodes, states, told_of
from p9.quicktest.trial import Trial

MS, NS = 1_000_000, 1_000_000_000
SETTLED_S = 10.0
SOON_NS = 5 * NS  # within which a line that was cut is missed
NEXT_NS = NS  # within which a book has its next frame
LATE_NS = 15 * NS  # how long after a pause frames may still be found late
LATE_S = 0.2  # a pause that may trip a breaker
FRAMES, LINES = ("drop", "malformed", "reorder"), ("disconnect", "close")
FIELDS = {"last_day_ms": "expires_ns", "tick": "tick", "lot": "step", "status": "status", "contract_value": "contract_value"}  # the simulator's words, and ours

Incident = dict[str, Any]


async def check(trial: Trial) -> None:
    """Of simulated venues."""
    assert trial.simulator is not None
    if not trial.enabled("integrity"):
        return
    counts: Counter[str] = Counter()
    incidents: list[Incident] = []

    async def look() -> list[str]:
        assert trial.simulator is not None
        counts.clear()
        incidents[:] = await trial.simulator.get("/oracle/incidents")
        wrong: list[str] = []
        for row in trial.instruments():
            told = await told_of(trial, row.exchange, row.symbol)
            its = [own for each in incidents for own in _own(each, row)]
            counts["books"] += 1
            wrong += [f"{row.market} {row.symbol}: {text}" for text in [*path(told), *causes(told, its, counts), *listings(told, its, counts)]]
        return wrong

    wrong = await trial.settled(look, SETTLED_S)
    figure = ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))
    trial.note("what became of each book is what was done to it", counts["books"] and not wrong, "; ".join(wrong[:3]) or figure)
    counts.clear()
    wrong = await trial.settled(lambda: _of_all(trial, incidents, counts), SETTLED_S)
    figure = ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))
    trial.note("what is told of delivery and of venues was done to them", not wrong, "; ".join(wrong[:3]) or figure)


def _own(each: Incident, row: Instrument) -> Iterable[Incident]:
    """An incident as this book saw it: none, or with what is its own of a line that carried many."""
    if "books" in each:
        yield from (each | book for book in each["books"] if (book["market"], book["symbol"]) == (row.market, row.venue_symbol))
    elif (each.get("market"), each.get("symbol")) == (row.market, row.venue_symbol):
        yield each


# ---- one book


def path(told: list[Event]) -> list[str]:
    """Each state follows from the one before it, the last one is good, and an outage is as long as it was."""
    wrong: list[str] = []
    events = states(told)
    before: Event | None = None
    n_lost = 0
    for event in events:
        if event["previous"] != (before["state"] if before else None):
            wrong.append(f"{event['state']} after {event['previous']}, but it was {before['state'] if before else 'not told'}")
        n_lost += event["previous"] == "synced" != event["state"]
        if event["count"] != n_lost:
            wrong.append(f"lost {event['count']} times, not {n_lost}")
        if event["state"] == "synced" and (event["reason"] not in ("snapshot", "restart") or event["expected_id"] is not None or event["got_id"] is None):
            wrong.append(f"synced by {event['reason']}, {event['expected_id']} expected and {event['got_id']} found")
        before = event
    if not events or events[-1]["state"] != "synced":
        wrong.append(f"is {events[-1]['state']} at the end" if events else "nobody told its state")
    ends = {id(back): back["ts_recv"] - lost["ts_recv"] for lost, back in episodes(events) if back is not None}
    wrong += [f"an outage of {event['duration_ns']} ns, not {ends.get(id(event))}" for event in events if event["duration_ns"] != ends.get(id(event))]
    for lost, back in episodes(events):
        if back is not None and lost["last_good_id"] != back["last_good_id"]:
            wrong.append(f"was good until {lost['last_good_id']}, and then until {back['last_good_id']}")
        if lost["last_good_time"] is None or lost["last_good_time"] > lost["ts_recv"]:
            wrong.append(f"was good until {lost['last_good_time']}, lost at {lost['ts_recv']}")
    return wrong


def causes(told: list[Event], incidents: list[Incident], counts: Counter[str]) -> list[str]:
    """Each loss with what caused it, and what should have caused one."""
    wrong: list[str] = []
    left = [each for each in incidents if each["fault"] in (*FRAMES, *LINES)]
    explained: list[Event] = []
    for event in states(told):
        if event["state"] == "synced":
            continue
        cause = next((each for each in left if _fits(event, each)), None)
        if cause is None:
            ids = f"{event['expected_id']} expected, {event['got_id']} found, good until {event['last_good_id']}"
            wrong.append(f"{event['reason']} at {event['ts_recv']} ({ids}), which nothing caused")
        else:
            counts[cause["fault"]] += 1
            explained.append(event)
            left.remove(cause)
    wrong += [f"nobody told of {each['fault']} at {each['at_ns']}" for each in left if _matters(each) and not _covered(each, told, explained)]
    return wrong


def _fits(event: Event, each: Incident) -> bool:
    ids = (event["expected_id"], event["got_id"], event["last_good_id"])
    if each["fault"] in LINES:  # what was on the way is lost with it
        soon = 0 <= event["ts_recv"] - each["at_ns"] <= SOON_NS
        known = event["last_good_id"] is None or event["last_good_id"] <= each["told"]
        return event["reason"] == "disconnect" and soon and known and ids[1] is None and (event["previous"] != "synced" or ids[0] == ids[2])
    if each["fault"] == "malformed":
        its = (each.get("before"), None, each.get("before"))
        return event["reason"] == "malformed" and (ids == its if event["previous"] == "synced" else 0 <= event["ts_recv"] - each["at_ns"] <= SOON_NS)
    return event["reason"] == "gap" and ids == (each.get("expects"), each.get("finds"), each.get("before"))


def _matters(each: Incident) -> bool:
    """A book's difference, or its line, which nobody else was sent."""
    return each["copies"] == 1 and ("before" in each or each["fault"] in LINES)


def _covered(each: Incident, told: list[Event], losses: list[Event]) -> bool:
    """The book was not valid just then, or lost otherwise before its next frame could show it."""
    state, at_ns = None, each["at_ns"]
    for event in states(told):
        if event["ts_recv"] > at_ns:
            break
        state = event["state"]
    return state != "synced" or any(0 <= event["ts_recv"] - at_ns <= NEXT_NS for event in losses)


def listings(told: list[Event], incidents: list[Incident], counts: Counter[str]) -> list[str]:
    """What else is told of an instrument: what changed of it by the simulator's hand, once."""
    others = [(event["kind"], event["detail"].partition(" was ")[0], event["detail"].rpartition(", is ")[2]) for event in told if event["kind"] != "book_state"]
    wanted = []
    for each in incidents:
        for word, value in each["asked"].items() if each["fault"] == "listing" else ():
            wanted.append(("relisted", FIELDS.get(word, word), str(value * MS if word == "last_day_ms" else value)))
    counts["relisted"] += len(wanted)
    return [f"{' '.join(each)}, which nobody did" for each in _without(others, wanted)] + [f"nobody told that {' '.join(each)}" for each in _without(wanted, others)]


def _without(some: list[Any], others: list[Any]) -> list[Any]:
    left = list(others)
    return [each for each in some if each not in left or left.remove(each)]


# ---- all of them


async def _of_all(trial: Trial, incidents: list[Incident], counts: Counter[str]) -> list[str]:
    counts.clear()
    by_kind: dict[str, list[Event]] = defaultdict(list)
    for event in await trial.stream(f"{trial.word('integrity')}:all:-"):
        by_kind[event["kind"]].append(event)
    counts.update({kind: len(some) for kind, some in by_kind.items()})
    wrong = [f"{kind}: {by_kind[kind][0]['detail']}" for kind in by_kind.keys() - JUDGES.keys()]
    for kind, judge in JUDGES.items():
        wrong += [f"{kind}: {text}" for text in judge(trial, by_kind[kind], incidents)]
    return wrong


def _chains(events: list[Event], start: str, *keys: str) -> list[str]:
    """Of each source (lane, topic) every state follows the one before it, and the last one is the first one again."""
    wrong: list[str] = []
    state: dict[tuple[Any, ...], str] = {}
    for event in events:
        who = tuple(event[key] for key in keys)
        if event["previous"] != state.get(who, start):
            wrong.append(f"{' '.join(who)} was {state.get(who, start)}, not {event['previous']}")
        state[who] = event["state"]
    return wrong + [f"{' '.join(who)} stays {last}" for who, last in state.items() if last != start]


def _configuration(trial: Trial, events: list[Event], incidents: list[Incident]) -> list[str]:
    reload = trial.appliance.reload
    n = reload.refusals if reload is not None else 0
    return [] if len(events) == n and all(event["state"] == "refused" for event in events) else [f"{len(events)} told, {n} refused"]


def _skew(trial: Trial, events: list[Event], incidents: list[Incident]) -> list[str]:
    """A clock is off while it was set so: in the direction in which it was, and by more than is suspect."""
    wrong = _chains(events, "normal", "source")
    sets = [each for each in incidents if each["fault"] == "skew"]
    for event in events:
        since = [each for each in sets if each["market"] in (event["source"], "*") and each["at_ns"] < event["ts_pub"]]
        if event["previous"] == "normal":
            found = re.search(r"our clock is (\d+) ms behind", event["detail"])
            if not since or not since[-1]["for_s"] or found is None or int(found[1]) < float(trial.appliance.config.monitors.clock_suspect) * 1000:
                wrong.append(event["detail"])
    told = {event["source"] for event in events}
    return wrong + [f"nobody told that the clock of {each['market']} was set" for each in sets if each["market"] not in (*told, "*")]


def _circuit(trial: Trial, events: list[Event], incidents: list[Incident]) -> list[str]:
    """One cut is mended with the next connection; a machine that is slow may need more than that, but not without a cut."""
    return _chains(events, "closed", "lane") + [event["detail"] for event in events if not trial.cut_ns or event["ts_pub"] < trial.cut_ns]


def _maintenance(trial: Trial, events: list[Event], incidents: list[Incident]) -> list[str]:
    """Told when it begins, and when it is no longer going on."""
    wanted: list[tuple[str, str, str]] = []
    known: dict[tuple[str, str], str] = {}
    for each in incidents:
        if each["fault"] == "maintenance":
            before, known[each["venue"], each["id"]] = known.get((each["venue"], each["id"]), ""), each["state"]
            if each["data"] and each["state"] != before and "ongoing" in (before, each["state"]):
                wanted.append((each["venue"], each["state"], each["title"] if each["titled"] else ""))
    told = [(event["source"], event["state"], event["detail"]) for event in events]
    wrong = []
    for source, state, title in wanted:
        found = next((each for each in told if each[:2] == (source, state) and title in each[2]), None)
        if found is None:
            wrong.append(f"nobody told that {source} is {state}")
        else:
            told.remove(found)
    return wrong + [detail for *_, detail in told]


def _late(start: str, *keys: str) -> Callable[[Trial, list[Event], list[Incident]], list[str]]:
    """We, or a venue, were late: because the loop of one of the two stood still. Nobody else can say so but they."""

    def judge(trial: Trial, events: list[Event], incidents: list[Incident]) -> list[str]:
        theirs = [each["at_ns"] for each in incidents if each["fault"] == "late" and each["for_s"] >= LATE_S]
        ours = [at_ns for at_ns, lag_s in trial.pauses if lag_s >= LATE_S]
        pauses = ours if keys == ("source",) else ours + theirs
        wrong = _chains(events, start, *keys)
        for event in events:
            if event["previous"] == start and not any(-NS <= event["ts_pub"] - at_ns <= LATE_NS for at_ns in pauses):
                wrong.append(event["detail"])
        return wrong

    return judge


JUDGES: dict[str, Callable[[Trial, list[Event], list[Incident]], list[str]]] = {
    "configuration": _configuration, "skew": _skew, "circuit": _circuit, "maintenance": _maintenance, "lateness": _late("normal", "source"),
    "venue_delay": _late("normal", "source", "topic"),
}  # fmt: skip
