"""Names of books as names of folders: none leads anywhere else, and no two are one."""

from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.snapshots.folder import book_folder, books, file_name, files_of

ROOT = Path("/data/snapshots")


def test_a_plain_name_is_its_own():
    assert book_folder(ROOT, "okx", "BTC-USD_UM-20261225-100000-C") == ROOT / "okx" / "BTC-USD_UM-20261225-100000-C"


@pytest.mark.parametrize("exchange", ["", ".", "..", "../etc", "Okx", "o k x", "okx/..", "okx\0", "a" * 33, "öker", "okx\n", "~", "%2e%2e", "C:", "con."])
def test_an_exchange_that_is_none_has_no_folder(exchange):
    assert book_folder(ROOT, exchange, "BTC-USDT") is None


@pytest.mark.parametrize("symbol", ["", "A" * 81, "币" * 27])
def test_a_symbol_that_can_be_none_has_no_folder(symbol):
    assert book_folder(ROOT, "okx", symbol) is None


@pytest.mark.parametrize("symbol", [
    "..", ".", "../../etc/passwd", "/etc/passwd", "\\..\\x", "C:\\x", "A/../../B", "%2e%2e%2f", "A\0B", "a:b", "CON.X", "~root", "-rf", "币安人生-USDT", "A\udcffB", "x ", ".hidden",
])  # fmt: skip
def test_no_symbol_leads_anywhere_else(symbol):
    folder = book_folder(ROOT, "okx", symbol)
    assert folder.parent == ROOT / "okx" and folder.resolve().parent == (ROOT / "okx").resolve()
    assert folder.name.isascii() and not set(folder.name) & set("./\\:~\0 *?") and folder.name.upper() == folder.name


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_two_symbols_share_a_folder_whatever_the_file_system_takes_for_equal(one, other):
    first, second = book_folder(ROOT, "okx", one), book_folder(ROOT, "okx", other)
    if one != other and first and second:
        assert first.name.casefold() != second.name.casefold()
    if first is not None and one.encode("utf-8", "replace").decode() == one:
        assert unquote(first.name) == one


def test_only_our_files_and_folders_are_found(tmp_path):
    folder = book_folder(tmp_path, "okx", "kPEPE-USDT")
    folder.mkdir(parents=True)
    names = [file_name(5, 9), file_name(1_700_000_000_000, 2), file_name(1_700_000_000_000, 10)]
    for name in [*reversed(names), "notes.txt", "1-2.p9s.bak", "x-2.p9s", "-1-2.p9s", "9" * 40 + "-1.p9s", ".1-2.p9s"]:
        (folder / name).touch()
    (tmp_path / "Strange").mkdir()
    (tmp_path / "file").touch()
    assert [file.path.name for file in files_of(folder)] == names
    assert list(books(tmp_path)) == [("okx", "kPEPE-USDT", folder)]
    assert files_of(tmp_path / "none") == [] == files_of(tmp_path / "file") and list(books(tmp_path / "none")) == []
