"""Merge patches against RFC 7396's own rule for applying them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from p9.ops.dashboard.patch import merge_patch
from tests.ops.dashboard.parts import merged

NAMES = st.sampled_from(["a", "b", "c", "d"])
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x"]) | st.lists(st.integers(0, 1), max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
)
STATES = st.dictionaries(NAMES, TREES, max_size=4)


def without_unknowns(tree):
    """A null is what is not known: it is not there."""
    return {name: without_unknowns(value) for name, value in tree.items() if value is not None} if isinstance(tree, dict) else tree


@settings(max_examples=60)
@given(STATES, STATES)
def test_a_patch_makes_the_new_state_of_the_old_one(old, new):
    shown = merged({}, old)
    assert merged(shown, merge_patch(old, new)) == without_unknowns(new)


@settings(max_examples=30)
@given(STATES)
def test_what_is_the_same_needs_no_patch(state):
    assert merge_patch(state, state) == {}


def test_only_what_changed_is_said():
    old = {"book": {"bids": {"1": "2", "0.9": "1"}, "state": "synced"}, "rate": 3.5}
    new = {"book": {"bids": {"1": "3", "0.8": "1"}, "state": "synced"}, "rate": 3.5, "mark": None}
    assert merge_patch(old, new) == {"book": {"bids": {"1": "3", "0.9": None, "0.8": "1"}}}
