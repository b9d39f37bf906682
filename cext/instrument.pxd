"""One symbol of one market: its book and the book's life, its streams, and what was counted."""

from libc.stdint cimport int32_t, int64_t

from cext.book cimport Book
from cext.events cimport Batch, Event, Level
from cext.heard cimport Heard
from cext.held cimport Held
from cext.notice cimport Notices
from cext.outbox cimport Outbox
from cext.prints cimport Print, Prints
from cext.quantiles cimport Quantiles
from cext.sequence cimport Sequence, SequenceRule
from cext.stream cimport BookState, Reason, Stream
from cext.measures.survey cimport Survey
from cext.symbols cimport Symbol
from cext.tape cimport Hole, NewsList, Numbering, Tape, TapeNews
from cext.touch cimport Touch, Touches
from cext.units cimport ns_t

cdef struct InstrumentCounters:  # int64_t and nothing else: pipeline.totals adds them up as a row
    int64_t depth_frames    # depth frames that decoded, images apart
    int64_t images
    int64_t applied
    int64_t stale           # already in the book: dropped
    int64_t unseeded        # before any image: held or dropped
    int64_t keepalives
    int64_t gaps
    int64_t too_old         # images older than the changes held
    int64_t crossed
    int64_t lost_frames     # depth frames that could not be read
    int64_t checksums
    int64_t checksums_matched
    int64_t touches
    int64_t touches_compared   # best bid/ask events whose update id the book had
    int64_t touches_agreed
    int64_t touches_crossed    # best bid/ask events that cannot be: their bid is not below their ask
    int64_t trades
    int64_t repeated_trades
    int64_t backfilled_trades
    int64_t trade_gaps
    int64_t prints          # bursts of trades, where a stream hears of them
    int64_t liquidations
    int64_t repeated_liquidations
    int64_t blocks
    int64_t repeated_blocks
    int64_t rescales

cdef class Instrument:
    cdef readonly bytes venue_symbol
    cdef readonly str name
    cdef readonly Book book
    cdef Symbol* symbol
    cdef Sequence sequence
    cdef readonly BookState state
    cdef readonly Reason reason
    cdef InstrumentCounters n
    cdef int64_t cross_id           # of the last applied depth event
    cdef int32_t depth              # levels a side that the venue keeps or was asked for; 0: no bound
    cdef ns_t folds_ns              # fills of so long a time may stand in one row
    cdef bint bounded               # live: prune to the valid window; a replay keeps everything
    cdef public bint in_auction     # a crossed book is legal now
    cdef ns_t _moved_recv           # when the frame came that last moved the sequence, by our clock ...
    cdef ns_t _moved_event          # ... and by the venue's; NO_TIME where it told none
    cdef ns_t _touched_event        # the venue's time of the newest best prices, and their id
    cdef int64_t _touched_id
    cdef ns_t loading_recv          # while an image and what was held for it are taken in: when the image came; else 0
    cdef Held held
    cdef Held* shadowed             # an audit's: it keeps every depth frame; NULL: there is none
    cdef Touches touches
    cdef Tape tape
    cdef Heard heard                # liquidations and block trades of late
    cdef Prints prints
    cdef Quantiles print_sizes      # in quote coins, of PRINT_WINDOW_NS; no counts where no stream hears of prints
    cdef Survey survey              # None: no stream hears of it
    cdef NewsList* news             # the pipeline's
    cdef Notices* notices           # the pipeline's
    cdef void* _streams[32]         # borrowed Streams; `_keep` owns them
    cdef int32_t _n_streams
    cdef tuple _keep

    cdef void attach(self, Symbol* symbol, SequenceRule rule, Numbering numbering, Notices* notices, NewsList* news, Outbox out)
    cdef int _attach(self, Stream stream, Outbox out) except -1
    cdef bint on_event(self, const Event* event, const Batch* batch, ns_t ts_recv) noexcept nogil
    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil
    cdef void on_block(self, const Event* event, int64_t frame, ns_t ts_recv) noexcept nogil
    cdef void _tell_block(self, const Event* event, ns_t ts_recv) noexcept nogil
    cdef void _on_liquidation(self, const Event* event, int64_t frame, ns_t ts_recv) noexcept nogil
    cdef void _tell_print(self, const Print* print, ns_t now_ns) noexcept nogil
    cdef void interrupt(self, bint torn, ns_t now_ns) noexcept nogil
    cdef bint close_hole(self, int64_t number, bint filled, ns_t now_ns) noexcept nogil
    cdef void _tell_tape(self, TapeNews news, const Hole* hole, ns_t now_ns) noexcept nogil
    cdef bint _on_depth(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil
    cdef bint _left_behind(self, const Event* event, ns_t ts_recv) noexcept nogil
    cdef void _on_applied(self, const Event* event, const Level* levels, ns_t ts_recv, Reason reason) noexcept nogil
    cdef void _on_touch(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil
    cdef bint told_again(self, const Event* event) noexcept nogil
    cdef bint _worn(self) noexcept nogil
    cdef bint _checksum_holds(self, const Event* event, ns_t ts_recv) noexcept nogil
    cdef bint _compare(self, const Touch* touch, ns_t ts_recv) noexcept nogil
    cdef bint _agrees(self, ns_t ts_recv) noexcept nogil
    cdef void _set_window(self, const Event* event, const Level* levels) noexcept nogil
    cdef void _tell_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil
    cdef void become_synced(self, Reason reason, ns_t now_ns) noexcept nogil
    cdef void lost_frame(self, Reason reason, ns_t now_ns) noexcept nogil
    cdef void invalidate(self, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil
    cdef void on_timer(self, ns_t now_ns) noexcept nogil
    cdef bint rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil

cdef dict counters_named(const InstrumentCounters* n)
