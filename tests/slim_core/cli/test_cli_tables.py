"""Tables of the command line in terminals of several widths."""

from __future__ import annotations

import pytest
from rich.console import Console

from slim_core.cli.kit import console as kit
from slim_core.cli.kit import tables
from slim_core.cli.kit.tables import are_numbers, table

HEADINGS = ["method", "seed", "labels used", "worst group", "average", "attention", "images", "seconds"]
ROWS = [
    ["class-balanced, from reference", "0", "groups in training", "3.3", "52.5", "34.1", "1,600", "0.3"],
    ["erm", "12", "none", "0.0", "46.7", "–", "48", "112.0"],
]


@pytest.fixture
def printed(monkeypatch, capsys):
    def at(width: int, headings=HEADINGS, rows=ROWS) -> list[str]:
        monkeypatch.setattr(tables, "console", Console(width=width, highlight=False))
        table("Models", headings, rows)
        return capsys.readouterr().out.splitlines()

    return at


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]


@pytest.mark.parametrize("width", [45, 60, 80, 100, 240])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_broken(width, printed):
    lines = printed(width)
    assert all(len(line) <= width for line in lines)
    shown = {cell for line in lines for cell in cells_of(line)}
    assert {cell for row in ROWS for cell in row[3:]} <= shown


def test_where_all_fits_a_row_is_a_line_with_numbers_to_the_right(printed):
    lines = printed(240)
    assert lines[0] == "Models"
    assert [cells_of(line) for line in lines if line.startswith("│")] == ROWS
    erm = next(line for line in lines if line.startswith("│ erm"))
    assert "│ none               │" in erm and "│     48 │" in erm


def test_in_a_narrow_terminal_each_row_is_a_list_of_its_cells(printed):
    lines = [cells_of(line) for line in printed(60) if line.startswith("│")]
    assert lines == [[heading, cell] for row in ROWS for heading, cell in zip(HEADINGS, row, strict=True)]


def test_a_table_without_rows_is_a_sentence_where_there_is_one(monkeypatch, capsys):
    monkeypatch.setattr(tables, "console", Console(width=80, highlight=False))
    table("Models", HEADINGS, [], empty="No models yet.")
    assert capsys.readouterr().out == "No models yet.\n"


@pytest.mark.parametrize("cell", ["3", "-0.1", "+1.2", "1,600", "24 (10.0 %)", "+9.8 to +15.9", "83.3-99.4", "1.6 GB"])
def test_a_number(cell):
    assert are_numbers((cell, "–", ""))


@pytest.mark.parametrize("cell", ["", "–", "2 runs", "r-4a4y9smfhx", "2026-11-30 08:44", "3d printer"])
def test_no_number(cell):
    assert not are_numbers((cell,))


def test_an_id_is_never_broken_and_a_path_is(printed):
    path = "/data/" + "waterbirds" * 12
    lines = printed(50, ["id", "folder"], [["d-pp2dhhiiv4", path]])
    assert all(len(line) <= 50 for line in lines)
    rows = [cells_of(line) for line in lines if line.startswith("│")]
    assert [row[0] for row in rows if row[0]] == ["d-pp2dhhiiv4"]
    assert "".join(row[1] for row in rows) == path


def test_letters_that_would_steer_the_terminal_are_written_out(printed):
    (line,) = (line for line in printed(80, ["name"], [["a\x1b[31mb[red]c"]]) if line.startswith("│"))
    assert cells_of(line) == ["a\\x1b[31mb[red]c"]


def test_a_table_beside_json_on_standard_output_is_as_wide_as_the_terminal(monkeypatch):
    both = Console(width=kit.PIPED_WIDTH), Console(stderr=True, width=80)
    monkeypatch.setattr(kit, "console", both[0])
    monkeypatch.setattr(kit, "errors", both[1])
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    kit.writable_text(kit.STDOUT)
    assert both[0].width == 80
