"""What is missing of an instrument's trades, with its exact range, and what became of it; and when its liquidations, or one's own stop orders, could not be heard."""

from libc.stdint cimport int64_t

from cext.book cimport Book
from cext.names cimport Names
from cext.outbox cimport HIGH, Channel, Outbox
from cext.stream cimport Stream
from cext.symbols cimport Symbol
from cext.units cimport NO_TIME, ns_t
from cext.writer cimport Writer, put_bytes, put_int, put_string, put_time

import msgspec


cdef class Gaps(Stream):
    """`gaps`: one event when trades are missing, one when the matter is settled.

    kind (trades; liquidations, which cannot be fetched, and stop_triggers, neither of which has ids), gap (counts this instrument's gaps of that kind),
    state: open (being fetched), filled (all came, late or by REST: see `trades` with flag
    backfill), lost (`left` says what never came). reason: numbers (a trade id was skipped), disconnect (ids tell nothing; the socket was
    lost), restart (the venue's numbering began anew). first_id, last_id and missing (their count): null where ids are no numbers. since, until:
    the venue's times of the trades before and after (ns), two seconds further where a frame could not be read. fetched: trades that came
    meanwhile. left: what is still missing, as [first id, last id]
    pairs, null where it cannot be told. duration_ns: since it was noticed.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel

    def __init__(self, Names names not None, *, str word=""):
        self.names = names
        self.word = word
        self.hears = 0

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "gaps", self.word, HIGH, self)

    def report(self, *, str kind="trades", int64_t gap, str state not None, str reason not None, first_id, last_id, ns_t since_ns, ns_t until_ns, int64_t fetched,
               left, ns_t noticed_ns, ns_t now_ns):
        """Publish one event; `left`: pairs of ids, or None."""
        cdef bytes what = kind.encode()
        cdef bytes word = state.encode()
        cdef bytes why = reason.encode()
        cdef bytes pairs = msgspec.json.encode(left)
        cdef Writer* w = self.out.open(self.channel, until_ns, NO_TIME, 0)
        put_bytes(w, b',"kind":', 8)
        put_string(w, what, len(what))
        put_bytes(w, b',"gap":', 7)
        put_int(w, gap)
        put_bytes(w, b',"state":', 9)
        put_string(w, word, len(word))
        put_bytes(w, b',"reason":', 10)
        put_string(w, why, len(why))
        if first_id is None:
            put_bytes(w, b',"first_id":null,"last_id":null,"missing":null', 46)
        else:
            put_bytes(w, b',"first_id":', 12)
            put_int(w, first_id)
            put_bytes(w, b',"last_id":', 11)
            put_int(w, last_id)
            put_bytes(w, b',"missing":', 11)
            put_int(w, last_id - first_id + 1)
        put_bytes(w, b',"since":', 9)
        put_time(w, since_ns)
        put_bytes(w, b',"until":', 9)
        put_time(w, until_ns)
        put_bytes(w, b',"fetched":', 11)
        put_int(w, fetched)
        put_bytes(w, b',"left":', 8)
        put_bytes(w, pairs, len(pairs))
        put_bytes(w, b',"duration_ns":', 15)
        put_int(w, now_ns - noticed_ns)
        self.out.close(self.channel)
