"""The proof must fail where the executable does: here a script plays one."""

import asyncio
import sys

import pytest

from p9.packaging.onlooker import differing_files
from p9.packaging.proof import Failed, Proof
from tests.ops.dashboard.parts import Market, outbox, served, sources

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script plays the executable")


def proof_of(script: str, folder) -> Proof:
    for above in (folder, *folder.parents):
        if "pytest" in str(above):
            above.chmod(0o755)  # where root proves, a stranger starts the executable
    path = folder / "player"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    (folder / "proof").mkdir()
    return Proof(path, folder / "proof")


def test_an_executable_that_does_not_run_fails_with_its_own_words(tmp_path):
    with pytest.raises(Failed, match=r"exit code 3(.|\n)*no such library"):
        proof_of("echo no such library >&2; exit 3", tmp_path).words()


def test_it_is_alone_and_without_an_environment(tmp_path):
    with pytest.raises(Failed, match=r"left: PWD=[^\n]*ein Ordner für 行情\n"):
        proof_of('/usr/bin/test "$(/bin/ls)" = player && echo "left: $(/usr/bin/env | /bin/grep -v ^_= | /bin/grep -v SHLVL)"; exit 1', tmp_path).words()


def test_a_configuration_that_is_not_read_fails(tmp_path):
    with pytest.raises(Failed, match=r"--check-config: exit code 0, expected 2"):
        proof_of('echo "p9_microstream 0: good"', tmp_path).words()


def test_a_quick_test_that_fails_or_says_nothing_fails(tmp_path):
    with pytest.raises(Failed, match="the quick test failed with exit code 1"):
        proof_of("""echo '{"ok": false}'; exit 1""", tmp_path).quick_test("1s")


def test_a_quick_test_on_another_redis_than_the_bundled_one_fails(tmp_path):
    with pytest.raises(Failed, match="ran on external"):
        proof_of("""echo '{"redis": "external", "passed": 19}'""", tmp_path).quick_test("1s")


def test_what_does_not_get_ready_fails(tmp_path):
    with pytest.raises(Failed, match=r"it does not start: out(.|\n)*of order"):
        proof_of("echo out; echo of order >&2; exit 2", tmp_path)._start()


def test_history_that_is_not_whole_fails(tmp_path):
    script = """case "$*" in *"--out fused"*) /usr/bin/printf 'time\\n1700000000\\n' | /bin/gzip > fused.csv.gz; echo one candle;; esac"""
    with pytest.raises(Failed, match=r"has 1 candles of a minute: one candle"):
        proof_of(script, tmp_path).history("venue")


async def test_a_page_that_lacks_a_file_or_has_another_is_seen():
    pages, dashboard = await served(sources(outbox(), Market()))
    try:
        assert await asyncio.to_thread(differing_files, pages.url) == []
        dashboard.files["js/main.js"] = dashboard.files["js/table.js"]
        del dashboard.files["css/theme.css"]
        assert sorted(await asyncio.to_thread(differing_files, pages.url)) == ["css/theme.css", "js/main.js"]
    finally:
        await pages.stop()
