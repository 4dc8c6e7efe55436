"""Tables of the command line in terminals of several widths."""

from __future__ import annotations

import pytest
from rich.console import Console

from slim_core.cli.kit import console as kit
from slim_core.cli.kit import tables
from slim_core.cli.kit.tables import Column, parts, table, widths

HEADINGS = ["method", "seed", "labels used", "worst group", "average", "attention", "images", "seconds"]
ROWS = [
    ["class-balanced, from reference", "0", "groups in training", "3.3", "52.5", "34.1", "1,600", "0.3"],
    ["erm", "12", "none", "0.0", "46.7", "–", "48", "112.0"],
]


@pytest.fixture
def printed(monkeypatch, capsys):
    def at(width: int, headings=HEADINGS, rows=ROWS, keys: int = 2) -> list[str]:
        monkeypatch.setattr(tables, "console", Console(width=width, highlight=False))
        table("Models", headings, rows, keys)
        return capsys.readouterr().out.splitlines()

    return at


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]


@pytest.mark.parametrize("width", [45, 60, 80, 100, 240])
def test_no_line_is_wider_than_the_terminal_and_no_number_or_word_is_broken(width, printed):
    lines = printed(width)
    assert all(len(line) <= width for line in lines)
    shown = [word for line in lines for word in cells_of(line)]
    words = " ".join(shown).split()
    for text in (*HEADINGS, *(cell for row in ROWS for cell in row)):
        assert set(text.split()) <= set(words), text


def test_where_all_fits_there_is_one_table_and_a_row_is_a_line(printed):
    lines = printed(240)
    assert lines[0] == "Models"
    assert [cells_of(line) for line in lines if line.startswith("│")] == ROWS


def test_each_part_of_a_table_names_its_rows(printed):
    parted = [line for line in printed(60) if line.startswith("│ erm")]
    assert len(parted) > 1
    assert {tuple(cells_of(line)[:2]) for line in parted} == {("erm", "12")}
    assert [cell for line in parted for cell in cells_of(line)[2:]] == ROWS[1][2:]


def test_in_parts_each_column_is_shown_once_beside_the_names_of_the_rows():
    columns = [Column(heading, cells) for heading, cells in zip(HEADINGS, zip(*ROWS, strict=True), strict=True)]
    for width in range(10, 140):
        parted = parts(columns, 2, width)
        assert [part[:2] for part in parted] == [columns[:2]] * len(parted)
        assert [column for part in parted for column in part[2:]] == columns[2:]
        assert all(len(part) > 2 for part in parted), "however narrow the terminal is"


def test_unless_it_is_said_otherwise_the_first_column_names_the_rows(monkeypatch, capsys):
    monkeypatch.setattr(tables, "console", Console(width=45, highlight=False))
    table("Models", HEADINGS, ROWS)
    parted = capsys.readouterr().out.split("Models\n")[1].split("└")[:-1]
    assert len(parted) > 1 and all(part.count("│ erm ") == 1 for part in parted)


def test_a_heading_takes_several_lines_only_where_it_is_wider_than_the_cells():
    assert Column("worst group", ("3.3", "0.0")).in_lines.heading == "worst\ngroup"
    assert Column("labels used", ("groups in training",)).in_lines.heading == "labels used"


def test_a_table_is_whole_on_a_terminal_that_is_just_as_wide(printed):
    widest = max(map(len, printed(240)))
    assert printed(widest) == printed(240) and len(printed(widest - 1)) > len(printed(widest))


def test_room_that_is_left_goes_to_the_columns_whose_cells_need_it():
    columns = [
        Column("path", ("/data/" + "waterbirds" * 3,)),
        Column("seed", ("12",)),
        Column("note", ("a few words",)),
    ]
    assert widths(columns, 34) == [15, 4, 5], "words stay whole"
    assert widths(columns, 44) == [25, 4, 5]
    assert widths(columns, 240) == [36, 4, 11]


def test_a_heading_of_several_lines_is_as_wide_as_the_longest_of_them():
    assert Column("erm\nseed 12", ("3.3", "0.0")).width == 7


def test_a_table_without_rows_is_a_sentence_where_there_is_one(monkeypatch, capsys):
    monkeypatch.setattr(tables, "console", Console(width=80, highlight=False))
    table("Models", HEADINGS, [], empty="No models yet.")
    assert capsys.readouterr().out == "No models yet.\n"
    table("Models", HEADINGS, ROWS, empty="No models yet.")
    assert "No models yet." not in capsys.readouterr().out


def test_numbers_stand_to_the_right_and_words_to_the_left(printed):
    erm = next(line for line in printed(240) if line.startswith("│ erm"))
    assert "│ none               │" in erm
    assert "│     48 │" in erm


@pytest.mark.parametrize("cell", ["3", "-0.1", "+1.2", "1,600", "24 (10.0 %)", "+9.8 to +15.9", "83.3-99.4", "1.6 GB"])
def test_a_number(cell):
    assert Column("x", (cell, "–", "")).is_of_numbers


@pytest.mark.parametrize("cell", ["", "–", "2 runs", "r-4a4y9smfhx", "2026-11-30 08:44", "3d printer"])
def test_no_number(cell):
    assert not Column("x", (cell,)).is_of_numbers


def test_an_id_is_never_broken_and_a_path_is(printed):
    path = "/data/" + "waterbirds" * 12
    lines = printed(50, ["id", "folder"], [["d-pp2dhhiiv4", path]], 1)
    assert all(len(line) <= 50 for line in lines)
    rows = [cells_of(line) for line in lines if line.startswith("│")]
    assert [row[0] for row in rows if row[0]] == ["d-pp2dhhiiv4"]
    assert "".join(row[1] for row in rows) == path


def test_letters_that_would_steer_the_terminal_are_written_out(printed):
    (line,) = (line for line in printed(80, ["name"], [["a\x1b[31mb[red]c"]], 1) if line.startswith("│"))
    assert cells_of(line) == ["a\\x1b[31mb[red]c"]


def test_a_table_beside_json_on_standard_output_is_as_wide_as_the_terminal(monkeypatch):
    both = Console(width=kit.PIPED_WIDTH), Console(stderr=True, width=80)
    monkeypatch.setattr(kit, "console", both[0])
    monkeypatch.setattr(kit, "errors", both[1])
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    kit.writable_text(kit.STDOUT)
    assert both[0].width == 80
