"""The share of time in which a market was whole, by an independent sum over a made-up month."""

import random

from p9.ops.availability import DAY_NS, DAYS, Availability


class Month:
    def __init__(self, path=None):
        self.now_ns, self.whole = 20_000 * DAY_NS, {"a": True}
        self.availability = Availability(lambda: self.whole, now_ns=lambda: self.now_ns, path=path)

    def live(self, seconds, **whole):
        self.whole = whole
        self.availability.look(seconds)
        self.now_ns += round(seconds * 1e9)


def test_a_month_of_ups_and_downs_is_the_sum_of_its_last_thirty_days():
    month, choice = Month(), random.Random(3)
    seen = []
    for _ in range(40 * 24):
        whole = choice.random() < 0.9
        seen.append(whole)
        month.live(3600.0, a=whole)
    last = seen[-(DAYS * 24) :]
    assert month.availability.ratio("a") == sum(last) / len(last)
    assert month.availability.status()["a"]["observed_s"] == 40 * 86400


def test_a_restart_goes_on_with_the_days_that_were_written_and_a_stop_counts_for_nothing(tmp_path):
    path = tmp_path / "state" / "availability.json"
    month = Month(path)
    month.live(900.0, a=True, b=False)
    month.live(100.0, a=False, b=False)
    month.availability.save()
    later = Month(path)
    later.now_ns += 5 * DAY_NS
    later.live(1000.0, a=True, b=True)
    assert later.availability.ratio("a") == 0.95 and later.availability.ratio("b") == 0.5
    assert later.availability.ratio("c") is None


def test_a_file_that_cannot_be_read_or_written_is_said_and_costs_nothing_else(tmp_path):
    said = []
    path = tmp_path / "availability.json"
    path.write_text('{"a": [{"number": "x"}]}')
    availability = Availability(lambda: {"a": True}, now_ns=lambda: 0, path=path, log=lambda event, **more: said.append(event))
    availability.look(1.0)
    assert said == ["availability cannot be read, and begins anew"] and availability.ratio("a") == 1.0
    availability.path = tmp_path / "availability.json" / "below-a-file"
    availability.save()
    availability.save()
    assert said[1:] == ["availability not written"]
