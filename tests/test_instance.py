"""One appliance a data folder, with real processes."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from p9.instance import Instance

ROOT = Path(__file__).parents[1]
OWNER = """
import sys, time
from pathlib import Path
from p9.instance import Instance
instance = Instance(Path(sys.argv[1]))
instance.claim()
print("mine", flush=True)
while not instance.asked_to_stop():
    time.sleep(0.01)
print("asked", flush=True)
instance.release()
"""


@pytest.fixture
def owner(tmp_path):
    """Another process that has the folder."""
    running = subprocess.Popen([sys.executable, "-c", OWNER, tmp_path], env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)
    assert running.stdout.readline() == "mine\n"
    yield running
    running.kill()
    running.communicate()


def test_a_second_appliance_is_told_who_has_the_folder_and_leaves_it_alone(tmp_path, owner):
    second = Instance(tmp_path)
    assert not second.claim() and second.whose() == f"process {owner.pid}"
    second.release()
    (tmp_path / "p9_microstream.stop").touch()
    assert not second.asked_to_stop()  # it was not meant
    assert owner.communicate(timeout=10)[0] == "asked\n"


def test_stop_waits_for_the_end(tmp_path, owner):
    assert Instance(tmp_path).stop(10)
    assert owner.communicate(timeout=10)[0] == "asked\n"
    assert not Instance(tmp_path).stop(10)


def test_a_killed_appliance_leaves_nothing_that_is_believed(tmp_path, owner):
    owner.kill()
    owner.wait()
    assert not Instance(tmp_path).stop(10)
    assert Instance(tmp_path).claim()


def test_an_order_to_stop_is_for_who_runs_and_not_for_the_next(tmp_path):
    first, second = Instance(tmp_path), Instance(tmp_path)
    first.claim()
    with pytest.raises(TimeoutError, match=str(os.getpid())):
        second.stop(0.1)
    assert first.asked_to_stop()
    first.release()
    first.release()
    (tmp_path / "p9_microstream.stop").touch()  # came too late
    second.claim()
    assert not second.asked_to_stop()
    second.release()


def test_nothing_runs_where_nothing_ever_ran(tmp_path):
    assert not Instance(tmp_path).stop(10)
    assert list(tmp_path.iterdir()) == []


def test_who_releases_while_somebody_waits_is_seen(tmp_path):
    first = Instance(tmp_path)
    first.claim()
    seen = []
    waiting = threading.Thread(target=lambda: seen.append(Instance(tmp_path).stop(10)))
    waiting.start()
    while not first.asked_to_stop():
        pass
    first.release()
    waiting.join(10)
    assert seen == [True]
