"""The circuit breaker, walked through its states."""

from p9.delivery.circuit import CLOSED, HALF_OPEN, OPEN, Circuit


def circuit_of(max_failures=3):
    told, now = [], [0.0]
    circuit = Circuit("urgent", max_failures=max_failures, now_s=lambda: now[0], on_change=lambda c, previous: told.append((previous, c.state, c.reason)))
    return circuit, told, now


def test_it_opens_after_more_failures_in_a_row_than_allowed():
    circuit, told, _ = circuit_of()
    for _ in range(3):
        circuit.failed("OOM")
    circuit.succeeded()
    for _ in range(3):
        circuit.failed("away")
    assert circuit.state == CLOSED and circuit.lets_through and not told
    circuit.failed("away")
    assert circuit.state == OPEN and not circuit.lets_through and told == [(CLOSED, OPEN, "away")]


def test_a_probe_lets_through_until_it_fails_or_succeeds():
    circuit, told, now = circuit_of(0)
    circuit.failed("away")
    for _ in range(4):
        now[0] += 1
        circuit.probe()
        assert circuit.state == HALF_OPEN and circuit.lets_through
        circuit.failed("LOADING")
        assert circuit.state == OPEN
    now[0] += 1
    circuit.probe()
    circuit.succeeded()
    assert told == [(CLOSED, OPEN, "away"), (OPEN, HALF_OPEN, "away"), (HALF_OPEN, CLOSED, "LOADING")]
    assert (circuit.n_opened, circuit.n_probes, circuit.open_s) == (1, 5, 5.0)


def test_a_probe_of_a_closed_circuit_is_nothing():
    circuit, told, _ = circuit_of()
    circuit.probe()
    assert circuit.state == CLOSED and not told
