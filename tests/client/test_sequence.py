"""Which numbers were seen, against a plain set."""

from hypothesis import given
from hypothesis import strategies as st

from p9.client.sequence import Sequence


@given(st.integers(1, 20), st.lists(st.integers(1, 60), max_size=80))
def test_as_a_set_of_numbers_would_have_it(first, numbers):
    sequence, seen = Sequence(first), set()
    for seq in numbers:
        assert sequence.seen(seq) == (seq < first or seq in seen)
        if sequence.seen(seq):
            continue
        gap = sequence.skip_to(seq)
        assert (gap is not None) == (seq > max(seen, default=first - 1) + 1)
        sequence.take(seq)
        seen.add(seq)
    missing = {seq for low, high in sequence.gaps for seq in range(low, high + 1)}
    assert missing == set(range(first, sequence.next)) - seen


def test_many_gaps_are_bounded_and_the_oldest_are_given_up():
    sequence = Sequence(1)
    for seq in range(2, 5000, 2):
        sequence.skip_to(seq)
        sequence.take(seq)
    assert len(sequence.gaps) == Sequence.MAX_GAPS
    assert sequence.seen(1) and not sequence.seen(4997)
