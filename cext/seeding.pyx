"""What was traded before the first trade that we saw, from the venue's history: into the bars of a grid, so that the first ones are whole too.

The bars that are still kept and began too early are made anew: of history up to a second, and of the grid's own seconds from there on. One that
was published is told again, with `revision` + 1, if that changed it. Live trades are never waited for: whatever of them came meanwhile is in
the grid's seconds.
"""

from typing import NamedTuple

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.bar cimport Bar, bar_blank, bar_equal, bar_flatten, bar_merge
from cext.grid cimport Grid, Timeframe
from cext.outbox cimport MARK_BACKFILL, MARK_ROUNDED
from cext.symbols cimport CONTRACT_INVERSE
from cext.turnover cimport FINE_PLACES
from cext.units cimport NO_ID, NO_TIME, ns_t, px_t
from cext.wide cimport Wide

cdef enum:
    SPARE_S = 32        # of the ring: what is forming while we look


class Piece(NamedTuple):
    """A span of history at the instrument's scales (`scales`): `bought` and `rest` are (native amount, counter value). Times are ns.

    `split`: what was bought is known; else all is in `rest`. `counted`: `trades` is their number; else it is 1 where there were any.
    `rounded`: the venue's own sums are.
    """

    open: int
    high: int
    low: int
    close: int
    open_at: int
    close_at: int
    bought: tuple
    rest: tuple
    trades: int
    split: bool = True
    counted: bool = True
    rounded: bool = False


cdef Wide _wide(object value) except *:
    cdef Wide made
    made.high = <int64_t>(value >> 64)
    made.low = <uint64_t>(value & 0xFFFFFFFFFFFFFFFF)
    return made


cdef object _whole(Wide value):
    return (<object>value.high << 64) + <object>value.low


cdef int _load(Bar* bar, piece) except -1:
    """Whatever the bar was published as stays."""
    bar.open = piece.open
    bar.high = piece.high
    bar.low = piece.low
    bar.close = piece.close
    bar.open_at = piece.open_at
    bar.close_at = piece.close_at
    bar.open_id = bar.close_id = NO_ID
    bar.bought.native = _wide(piece.bought[0])
    bar.bought.cross = _wide(piece.bought[1])
    bar.rest.native = _wide(piece.rest[0])
    bar.rest.cross = _wide(piece.rest[1])
    bar.trades = piece.trades
    bar.unsplit = not piece.split
    bar.uncounted = not piece.counted
    bar.marks = MARK_BACKFILL | (MARK_ROUNDED if piece.rounded else 0)
    bar.incomplete = bar.outgrown = False
    return 0


def scales(Grid grid not None):
    """(decimals of prices, of native amounts, of counter values) in pieces for this grid's instrument, as they are now."""
    cdef int32_t cross = FINE_PLACES if grid.symbol.contract == CONTRACT_INVERSE else grid.symbol.px_scale + grid.symbol.qty_scale
    return grid.symbol.px_scale, grid.symbol.qty_scale, cross


def second(Grid grid not None, int64_t at_s):
    """(open, high, low, close, bought, rest, trades) of a closed second whose trades are all there, as in a Piece; None if it is not to be had."""
    cdef Bar* bar = grid.bar_at(0, at_s)
    if bar == NULL or not bar.closed or not grid.complete(0, bar):
        return None
    return (bar.open, bar.high, bar.low, bar.close, (_whole(bar.bought.native), _whole(bar.bought.cross)),
            (_whole(bar.rest.native), _whole(bar.rest.cross)), bar.trades)


def incomplete(Grid grid not None, str timeframe):
    """The openings, in seconds, of the bars of this timeframe that lack trades or may, the forming one among them; oldest first."""
    cdef int32_t i = grid.frame_of(timeframe)
    cdef Bar* bar
    cdef int32_t j
    found = []
    if i >= 0 and grid.first != NO_ID:
        for j in range(grid.frames[i].n_bars):
            bar = &grid.frames[i].bars[j]
            if bar.index != NO_ID and not grid.complete(i, bar):
                found.append(bar.index * grid.frames[i].seconds)
        if grid.closed_to // grid.frames[i].seconds * grid.frames[i].seconds < grid.frames[i].known_s:
            found.append(grid.closed_to // grid.frames[i].seconds * grid.frames[i].seconds)     # not begun: none of its seconds is closed
    return sorted(set(found))


def known(Grid grid not None):
    """{timeframe: the second from which on nothing is missing of it but what was lost}; empty before the first trade."""
    return {name: grid.frames[grid.frame_of(name)].known_s for name in grid.timeframes} if grid.first != NO_ID else {}


def seed_seconds(Grid grid not None, int64_t from_s, list pieces, px_t close_before, int64_t last_id=NO_ID,
                 ns_t last_at=NO_TIME):
    """The seconds from `from_s` to that of the first trade, whole: a Piece each, None where nothing was traded. `close_before`: the last price
    before them. `last_id` and `last_at`: number and time of the last trade in them, where trades are numbered: a live one of these seconds that comes
    later and has a higher number was not in that memory, and is added. False if they do not fit what is kept or seen; then nothing was changed."""
    cdef Timeframe* frame = &grid.frames[0]
    cdef int64_t first = grid.first
    cdef int64_t at
    cdef px_t close = close_before
    cdef Bar made
    cdef Bar* bar
    cdef int32_t i
    if first == NO_ID or not pieces or from_s + len(pieces) != first + 1 or first >= grid.closed_to or pieces[len(pieces) - 1] is None \
            or grid.bar_at(0, first) == NULL or grid.newest - from_s >= frame.n_bars - SPARE_S:
        return False
    if last_id != NO_ID and grid.bar_at(0, first).close_id > last_id:
        return False
    for at in range(from_s, first + 1):
        bar = grid.bar_at(0, at)
        if bar == NULL:
            bar = &frame.bars[at % frame.n_bars]
            grid.begin(0, bar, at)
        made = bar[0]
        if pieces[at - from_s] is not None:
            _load(&made, pieces[at - from_s])
            close = made.close
        else:
            bar_flatten(&made, close)
        made.closed = True
        made.settled_s = first + 1
        made.settled_id = last_id
        if at == first and last_id != NO_ID:
            made.close_id = last_id
            made.close_at = last_at
        _put_back(grid, 0, bar, &made)
    grid.first = from_s
    frame.known_s = from_s
    for i in range(1, grid.n_frames):
        frame = &grid.frames[i]
        if frame.seconds < 60 and first // frame.seconds * frame.seconds >= from_s \
                and _rebuild(grid, i, first // frame.seconds, NULL, from_s, first + 1):
            frame.known_s = from_s
    for i in range(grid.n_frames):
        _tell_known(grid, i)
    return True


def seed(Grid grid not None, int64_t to_s, list entries):
    """Bars of a minute and more: (timeframe, opening in seconds, the Piece from there to `to_s` or None where they are the same moment). The grid
    knows all trades from `to_s` on. Returns the entries that could be made."""
    cdef Timeframe* frame
    cdef Bar prior
    cdef int32_t i
    cdef int64_t open_s
    cdef int64_t taken_s = grid.frames[0].known_s
    if grid.first == NO_ID or to_s < taken_s or to_s > grid.closed_to or grid.newest - to_s >= grid.frames[0].n_bars - SPARE_S:
        return []
    made = []
    for entry in entries:
        name, open_s, piece = entry
        i = grid.frame_of(name)
        if i < 0:
            continue
        frame = &grid.frames[i]
        bar_blank(&prior, open_s // frame.seconds)
        if piece is not None:
            _load(&prior, piece)
        if _rebuild(grid, i, open_s // frame.seconds, NULL if piece is None else &prior, to_s, to_s):
            frame.known_s = min(frame.known_s, open_s)
            made.append(entry)
    for i in range(1, grid.n_frames):
        _tell_known(grid, i)
    return made


cdef void _tell_known(Grid grid, int32_t i):
    """What is complete now was not when it was published."""
    cdef Timeframe* frame = &grid.frames[i]
    cdef Bar* bar
    cdef int32_t j
    for j in range(frame.n_bars):
        bar = &frame.bars[j]
        if bar.index != NO_ID and bar.closed and bar.seq != NO_ID and bar.told_complete != grid.complete(i, bar):
            grid.mark_amended(frame, bar)


cdef bint _rebuild(Grid grid, int32_t i, int64_t index, const Bar* prior, int64_t from_s, int64_t settled_s):
    """Make a bar of what was before `from_s` and of the grid's seconds from there. False if it, or one of them, is not kept any more."""
    cdef Timeframe* frame = &grid.frames[i]
    cdef Bar* bar = grid.bar_at(i, index)
    cdef Bar* part
    cdef Bar made
    cdef int64_t at = max(index * frame.seconds, from_s)
    cdef int64_t end = min((index + 1) * frame.seconds, grid.closed_to)
    cdef int64_t settled_id = NO_ID
    if bar == NULL and ((index + 1) * frame.seconds <= grid.closed_to or frame.bars[index % frame.n_bars].index > index):
        return False
    if prior != NULL:
        made = prior[0]
    else:
        bar_blank(&made, index)
    while at < end:
        part = grid.bar_at(0, at)
        if part == NULL:
            return False
        if not bar_merge(&made, part):
            grid.n_overflows += 1
        if part.settled_s > settled_s or (part.settled_s == settled_s and part.settled_id != NO_ID):
            settled_s = part.settled_s
            settled_id = part.settled_id
        if made.trades == 0:
            bar_flatten(&made, part.close)
        at += 1
    if bar == NULL:
        bar = &frame.bars[index % frame.n_bars]
        grid.begin(i, bar, index)
    made.settled_s = settled_s
    made.settled_id = settled_id
    if bar.settled_s > settled_s:
        made.settled_s = bar.settled_s
        made.settled_id = bar.settled_id
    made.seq = bar.seq
    made.revision = bar.revision
    made.closed = bar.closed
    made.amended = bar.amended
    made.told_complete = bar.told_complete
    _put_back(grid, i, bar, &made)
    return True


cdef void _put_back(Grid grid, int32_t i, Bar* bar, const Bar* made):
    """Take what was made of a bar; a published one that changed is told again, and so are the flat ones that repeat its close."""
    cdef bint changed = not bar_equal(bar, made)
    cdef px_t close = bar.close
    cdef bint told = bar.seq != NO_ID
    bar[0] = made[0]
    if not bar.closed:
        grid.n_changes += 1
    elif told and changed:
        grid.mark_amended(&grid.frames[i], bar)
        if bar.close != close:
            grid.spread_close(&grid.frames[i], bar)
