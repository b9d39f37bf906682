"""What a venue says, in our words. A frame becomes a Batch: all of it, or nothing.

The Batch belongs to its pipeline and is written anew for every frame. Events name their levels as ranges of `levels`, as the array
may move while the frame is decoded. A Batch holds no pointer that outlives the frame, except `unknown`, which is read at once.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.cursor cimport View
from cext.units cimport ns_t, px_t, qty_t

cdef enum EventKind:
    EVENT_DEPTH = 1     # level changes; absolute quantities, 0 removes
    EVENT_SNAPSHOT      # a full image: replaces the book
    EVENT_BBO           # best bid and ask; a side may be empty
    EVENT_TRADE
    EVENT_LIQUIDATION   # a forced order; `side` is the order's: a liquidated long is sold
    EVENT_BLOCK_TRADE   # a negotiated trade of a feed of its own, with ids of its own (in a feed of all trades it is a trade with EVENT_BLOCK)

cdef enum Side:
    SIDE_NONE = 0
    SIDE_BUY = 1        # the aggressor bought
    SIDE_SELL = -1

cdef enum EventFlag:
    EVENT_FROM_REST = 1     # a REST answer: it bridges to the stream by its rule, an in-band image needs no bridge
    EVENT_HAS_CHECKSUM = 2
    EVENT_BACKFILL = 4
    EVENT_RESTART = 8       # the venue says that its numbering began anew
    EVENT_OFF_BOOK = 16     # a trade that never stood in the book (block, RPI): out of checks against the book
    EVENT_BLOCK = 32        # a negotiated trade, always off the book too: venues leave it out of their candles (RPI trades are in them)
    EVENT_SAMPLED = 64      # of a feed that does not tell everything: what is missing is not known
    EVENT_BANKRUPTCY = 128  # liquidation: px is the price of the takeover, at which nothing need have traded
    EVENT_ORDERED = 256     # liquidation: px is the price that the order asks for; what it got is not told

cdef enum Topic:
    TOPIC_NONE = 0
    TOPIC_DEPTH
    TOPIC_BBO
    TOPIC_TRADES
    TOPIC_CONTROL
    TOPIC_LIQUIDATIONS
    TOPIC_BLOCKS

cdef enum Outcome:  # What became of a frame. Each has a counter; the first two are the only good ones.
    OUTCOME_EVENTS = 0
    OUTCOME_CONTROL         # an acknowledgement, an error, a pong, a notice: for p9 to read
    OUTCOME_IGNORED         # a topic that we know and did not ask for
    OUTCOME_UNKNOWN_TOPIC
    OUTCOME_UNKNOWN_SYMBOL  # Batch.unknown names it
    OUTCOME_UNKNOWN_ENUM    # a side or type never seen: the row is left out, the rest stands
    OUTCOME_FINER           # a number finer than the instrument's scale: rescale, then decode again
    OUTCOME_OVERFLOW        # a number that does not fit
    OUTCOME_MALFORMED
    OUTCOME_OVERSIZED       # more levels or rows than any venue sends
    N_OUTCOMES

cdef enum:
    MAX_LEVELS = 65536      # in one frame, both sides together
    MAX_EVENTS = 8192       # in one frame
    TRADE_ID_SIZE = 40      # a UUID has 36

cdef struct Level:
    px_t px
    qty_t qty

cdef struct Event:
    EventKind kind
    int32_t instrument      # index in the pipeline
    uint32_t flags
    ns_t ts_event           # the venue's matching time where it tells it, else its sending time, else NO_TIME
    int64_t first_id        # depth: first update id folded in. trade: first fill id. NO_ID where there is none
    int64_t last_id         # depth: last update id. trade: last fill id (or the only one)
    int64_t prev_id         # depth: the last_id that came before, where the venue says it
    int64_t cross_id        # equal on a depth and a BBO event that show the same book; NO_ID where there is none
    int32_t bids            # ranges of Batch.levels; a BBO has 0 or 1 level a side
    int32_t n_bids
    int32_t asks
    int32_t n_asks
    int32_t checksum
    Side side
    px_t px                 # trade, liquidation
    qty_t qty
    px_t order_px           # liquidation: what the order asks for, where px is what it got; 0: not told
    int32_t px_scale        # liquidation: of px and order_px, as an average may be finer than any price of the book ...
    int32_t qty_scale       # ... and nothing here may be a reason to rescale one
    int64_t agg_id          # trade: the venue's id of the aggregate whose fills are first_id..last_id; NO_ID for a single fill
    int32_t trade_id_size
    char trade_id[TRADE_ID_SIZE]  # the venue's own text, of the id that its REST history is asked by (an aggregate's where it aggregates)
    # (liquidation: the venue's own word for the side)

cdef struct Batch:
    Event* events
    int32_t n_events
    int32_t max_events
    Level* levels
    int32_t n_levels
    int32_t max_levels
    int32_t instrument      # as far as the frame was understood; -1 unknown
    Topic topic             # as far as the frame was understood
    int32_t unknown_enums   # rows left out
    int64_t number          # of the frame, as its pipeline counts: two events of one frame are two, the same again in another may be a repeat
    View unknown            # the symbol nobody knows; inside the frame


cdef bint batch_init(Batch* batch) noexcept nogil
cdef void batch_free(Batch* batch) noexcept nogil
cdef void batch_clear(Batch* batch) noexcept nogil
cdef Event* batch_event(Batch* batch, EventKind kind, int32_t instrument) noexcept nogil
cdef Level* batch_level(Batch* batch) noexcept nogil
