"""The end of a log is read from the end of its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from slim_core.store.runs import log
from slim_core.store.runs.log import tail


def lines(n: int, width: int = 1) -> str:
    return "".join(f"{number:0{width}}\n" for number in range(n))


@pytest.mark.parametrize("n", [0, 1, 199, 200])
def test_a_short_log_is_shown_whole(tmp_path: Path, n: int) -> None:
    (tmp_path / "log.txt").write_text(lines(n))
    end = tail(tmp_path / "log.txt", 200)
    assert (end.text, end.whole) == (lines(n), True)


@pytest.mark.parametrize("block", [7, 100, 64 * 1024])
def test_of_a_long_log_the_last_lines_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(log, "_BLOCK", block)
    (tmp_path / "log.txt").write_text(lines(1000, 50))
    end = tail(tmp_path / "log.txt", 3)
    assert end.text == "".join(lines(1000, 50).splitlines(keepends=True)[-3:])
    assert not end.whole


def test_a_huge_log_costs_a_few_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.txt"
    with path.open("wb") as file:
        file.truncate(50 * 1024**3)  # sparse: takes no room
        file.seek(0, 2)
        file.write(b"\n" + lines(300).encode())
    end = tail(path, 200)
    assert end.text.splitlines() == [str(number) for number in range(100, 300)]
    monkeypatch.setattr(log, "_LARGEST", 1000)
    assert len(tail(path, 10_000).text) <= 1000


def test_a_line_that_is_being_written_and_bytes_that_are_no_text_are_shown_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"one\ntw\xff")
    assert tail(tmp_path / "log.txt", 1).text == "tw�"
