"""Tables and folders as people bring them: read where it is clear what is meant, else one sentence with the remedy."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from slim_core.data.importing import import_data
from slim_core.data.report import Imported, require
from slim_core.settings import Settings
from tests.slim_core.data.conftest import save_image

N = 24
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{:064d}\nsize 12345\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for i in range(N):
        save_image(tmp_path / "pets" / f"{i}.jpg", i)
    return tmp_path / "pets"


def table(
    root: Path, lines: list[str], *, header: str = "path,label", encoding: str = "utf-8", end: str = "\n"
) -> None:
    (root / "t.csv").write_bytes((end.join([header, *lines]) + end).encode(encoding))


def named(name: str, label: Callable[[int], object] = lambda i: ("cat", "dog")[i % 2]) -> list[str]:
    return [f"{name.format(i=i)},{label(i)}" for i in range(N)]


def imported(root: Path, limits: Settings) -> Imported:
    return import_data(root, settings=limits)


def notes(found: Imported) -> str:
    return " ".join(one.message for one in found.report.findings if one.level == "note")


def test_names_of_images_that_are_not_in_utf_8_are_refused_in_a_sentence(tmp_path: Path, limits: Settings) -> None:
    folder = tmp_path / "pets"
    for i in range(N):
        save_image(folder / ("cat", "dog")[i % 2] / f"{i}.jpg", i)
    os.rename(folder / "dog" / "1.jpg", os.fsencode(folder / "dog") + b"/caf\xe9.jpg")
    (error,) = imported(folder, limits).report.errors
    assert error.message == (
        f"The names of 1 of {N} images below {folder} are not in UTF-8, such as dog/caf\ufffd.jpg: rename them, for "
        "example with convmv."
    )


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("/home/alice/pets/{i}.jpg", "/home/alice/pets/"),
        ("C:\\Users\\me\\pets\\{i}.jpg", "C:/Users/me/pets/"),
    ],
)
def test_paths_of_another_machine_are_read_from_here_where_their_ends_are_here(
    root: Path, limits: Settings, name: str, begins: str
) -> None:
    table(root, named(name))
    found = imported(root, limits)
    assert require(found).image_path(7) == root / "7.jpg"
    assert f"The paths begin with {begins}, which is not here: they are read from {root}." in notes(found)


def test_of_paths_of_another_machine_those_that_begin_otherwise_are_refused(root: Path, limits: Settings) -> None:
    lines = named("/home/alice/pets/{i}.jpg")
    table(root, [*lines[:-1], "/etc/23.jpg,dog"])
    (error,) = imported(root, limits).report.errors
    assert error.code == "path-escape" and "(line 25)" in error.message


@pytest.mark.parametrize("name", ["https://example.org/pets/{i}.jpg", "s3://pets/{i}.jpg", "D:\\gone\\x{i}.jpg"])
def test_addresses_and_paths_of_windows_are_refused_once(root: Path, limits: Settings, name: str) -> None:
    table(root, named(name))
    (error,) = imported(root, limits).report.errors
    assert error.message.startswith("24 image paths of t.csv point to another machine, such as '")
    assert error.message.endswith("copy the files here, and write paths relative to the table.")


@pytest.mark.parametrize("name", ["{i}.JPG", "./{i}.jpg", " {i}.jpg "])
def test_names_that_are_meant_are_found(root: Path, limits: Settings, name: str) -> None:
    table(root, named(name))
    assert len(require(imported(root, limits))) == N


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_byte_order_marks_and_ends_of_lines_of_excel(
    root: Path, limits: Settings, delimiter: str, encoding: str
) -> None:
    lines = [line.replace(",", delimiter) for line in named("{i}.jpg")]
    table(root, lines, header=f" Path {delimiter}Label", encoding=encoding, end="\r\n")
    assert require(imported(root, limits)).label_names == ("cat", "dog")


def test_a_line_break_inside_quotes_ends_no_row(root: Path, limits: Settings) -> None:
    table(root, [f'{line},"one\ntwo"' for line in named("{i}.jpg")], header="path,label,note")
    assert len(require(imported(root, limits))) == N


def test_labels_that_differ_by_capitals_alone_are_named(root: Path, limits: Settings) -> None:
    table(root, named("{i}.jpg", lambda i: ("cat", "Cat", "dog")[i % 3]))
    (warning,) = [one for one in imported(root, limits).report.warnings if one.code == "label-twins"]
    assert "capitals: Cat and cat. They count as" in warning.message


def test_a_table_without_header_says_so(root: Path, limits: Settings) -> None:
    lines = named("{i}.jpg")
    table(root, lines[1:], header=lines[0])
    (error,) = imported(root, limits).report.errors
    assert error.message == (
        "t.csv has no header: its first line is '0.jpg, cat'; begin it with a line of names, such as path,label."
    )


def test_a_line_with_too_many_cells_is_named_in_plain_words(root: Path, limits: Settings) -> None:
    lines = named("{i}.jpg")
    lines[4] += ",more,and more"
    table(root, lines)
    (error,) = imported(root, limits).report.errors
    assert "(line 6 has 4 cells and the" in error.message


@pytest.mark.parametrize("words", [("Train", "VALIDATION", "test"), ("0", "1", "2"), (" train", "dev ", "Testing")])
def test_splits_are_understood_however_they_are_written(root: Path, limits: Settings, words: tuple) -> None:
    lines = [f"{i}.jpg,{'cat' if i < 12 else 'dog'},{words[i % 3]}" for i in range(N)]
    table(root, lines, header="path,label,split")
    assert [len(require(imported(root, limits)).rows(split)) for split in ("train", "val", "test")] == [8, 8, 8]


def test_labels_of_spreadsheets_that_are_whole_numbers_with_a_point(root: Path, limits: Settings) -> None:
    table(root, named("{i}.jpg", lambda i: f"{i % 2}.0"))
    assert require(imported(root, limits)).label_names == ("0", "1")


# Folders


def test_pictures_of_forms_that_are_not_read_are_counted_and_never_left_out_unsaid(tmp_path: Path, limits) -> None:
    for i in range(N):
        save_image(tmp_path / "set" / ("cat", "dog")[i % 2] / f"{i}.jpg", i)
    for name in ("cat/a.HEIC", "dog/b.heic", "dog/c.avif"):
        (tmp_path / "set" / name).write_bytes(b"\0\0\0\x18ftypheic")
    said = "There are pictures in formats that are not read (2 .heic, 1 .avif): convert them to JPEG or PNG"
    assert said in notes(imported(tmp_path / "set", limits))


def test_a_folder_of_nothing_but_such_pictures_says_what_to_do(tmp_path: Path, limits: Settings) -> None:
    (tmp_path / "set" / "cat").mkdir(parents=True)
    (tmp_path / "set" / "cat" / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (error,) = imported(tmp_path / "set", limits).report.errors
    assert "not read (1 .heic): convert them to" in error.message


def test_the_folder_of_a_single_class_asks_for_the_others(tmp_path: Path, limits: Settings) -> None:
    save_image(tmp_path / "set" / "cat" / "0.jpg", 0)
    save_image(tmp_path / "set" / "readme.jpg", 1)
    (error,) = imported(tmp_path / "set", limits).report.errors
    assert "a single class, cat: put a folder" in error.message


def test_a_workbook_is_to_be_saved_as_a_table(tmp_path: Path, limits: Settings) -> None:
    (tmp_path / "pets.xlsx").write_bytes(b"PK\x03\x04")
    (error,) = imported(tmp_path / "pets.xlsx", limits).report.errors
    assert "CSV in UTF-8" in error.message


def test_pointers_of_git_lfs_are_not_called_broken_images(root: Path, limits: Settings) -> None:
    table(root, named("{i}.jpg"))
    for i in range(N):
        (root / f"{i}.jpg").write_text(POINTER.format(i))
    (error,) = imported(root, limits).report.errors
    assert "0.jpg is a Git" in error.message


@pytest.mark.parametrize("name", ["data/train-00000-of-00001.parquet", "t.csv", "pets.zip"])
def test_pointers_in_the_place_of_other_files_are_named(tmp_path: Path, limits: Settings, name: str) -> None:
    path = tmp_path / "set" / name
    path.parent.mkdir(parents=True)
    path.write_text(POINTER.format(1))
    asked = path if path.suffix == ".zip" else tmp_path / "set"
    (error,) = imported(asked, limits).report.errors
    assert f"{path} is a Git LFS pointer and not a" in error.message


# Cells beside their columns


def test_a_delimiter_at_the_end_of_every_line_is_no_cell(root: Path, limits: Settings) -> None:
    table(root, [f"{line},," for line in named("{i}.jpg")])
    assert require(imported(root, limits)).label_names == ("cat", "dog")


def test_the_numbers_that_r_writes_before_each_row_are_no_cells(root: Path, limits: Settings) -> None:
    table(root, [f'"{i + 1}",{line}' for i, line in enumerate(named("{i}.jpg"))])
    assert require(imported(root, limits)).label_names == ("cat", "dog")


@pytest.mark.parametrize(("first", "cells"), [(",0.93", 3), (",0.93,x", 4)])
def test_a_first_row_of_more_cells_than_the_header_loses_no_row_and_shifts_no_cell(
    root: Path, limits: Settings, first: str, cells: int
) -> None:
    lines = named("{i}.jpg")
    table(root, ["", lines[0] + first, *lines[1:]])
    (error,) = imported(root, limits).report.errors
    assert f"(line 3 has {cells} cells and the header 2)" in error.message


def test_quotation_marks_behind_a_blank_keep_their_commas(root: Path, limits: Settings) -> None:
    table(root, [f'{i}.jpg, "{("cat, big", "dog")[i % 2]}"' for i in range(N)], header="path, label")
    assert require(imported(root, limits)).label_names == ("cat, big", "dog")


def test_lines_are_those_of_the_file_behind_cells_with_line_breaks(root: Path, limits: Settings) -> None:
    lines = [f'{line},"one\ntwo"' for line in named("{i}.jpg")]
    table(root, [*lines, "gone.jpg,cat,x"], header="path,label,note")
    (error,) = imported(root, limits).report.errors
    assert error.lines == (2 + 2 * N,) and (root / "t.csv").read_text().splitlines()[1 + 2 * N] == "gone.jpg,cat,x"


def test_utf_16_without_a_byte_order_mark_is_called_so(root: Path, limits: Settings) -> None:
    table(root, named("{i}.jpg"), encoding="utf-16-le")
    found = import_data(root / "t.csv", settings=limits)
    assert [one.message for one in found.report.errors] == [f"{root / 't.csv'} is text in UTF-16: save it as UTF-8."]


def test_paths_in_the_index_of_pandas_are_a_column(root: Path, limits: Settings) -> None:
    rows = [line.split(",") for line in named("{i}.jpg")]
    pd.DataFrame(rows, columns=["path", "label"]).set_index("path").to_parquet(root / "t.parquet")
    assert require(imported(root, limits)).image_path(3) == root / "3.jpg"


def test_of_columns_that_look_the_same_none_is_taken_without_a_word(root: Path, limits: Settings) -> None:
    table(root, [f"{line},{line[-1]}" for line in named("{i}.jpg")], header="path,Label,label")
    (error,) = imported(root, limits).report.errors
    assert "columns 'Label' and 'label', which differ only" in error.message
    chosen = import_data(root, options={"label": "Label"}, settings=limits)
    assert require(chosen).label_names == ("cat", "dog")


# What classes and attributes are called


@pytest.mark.parametrize("other", ["Cafe\u0301", "caf\u00e9 ", "CAF\u00c9"])
def test_names_that_look_the_same_are_named_in_tables_and_folders(tmp_path: Path, limits: Settings, other: str) -> None:
    for i in range(N):
        save_image(tmp_path / "set" / ("Caf\u00e9", other, "dog")[i % 3] / f"{i}.jpg", i)
    (warning,) = [one for one in imported(tmp_path / "set", limits).report.warnings if one.code == "label-twins"]
    assert "set has labels that differ only" in warning.message and "count as different" in warning.message


@pytest.mark.parametrize("word", ["NA", "None", "n/a", "NULL", "?"])
def test_labels_that_may_be_missing_are_said_to_be_names(root: Path, limits: Settings, word: str) -> None:
    table(root, named("{i}.jpg", lambda i: ("0", "1", word)[i % 3]))
    (warning,) = [one for one in imported(root, limits).report.warnings if one.code == "label-doubtful"]
    assert warning.message == (
        f"8 rows have the label '{word}' in t.csv (lines 4, 7, 10, 13, 16, ...), which is taken as a name: take these "
        "rows out if the label is not known."
    )


def test_none_is_an_attribute_and_na_a_doubtful_one(root: Path, limits: Settings) -> None:
    table(root, [f"{line},{('none', 'NA')[i < 3]}" for i, line in enumerate(named("{i}.jpg"))], header="path,label,a")
    (warning,) = [one for one in imported(root, limits).report.warnings if one.code == "attribute-doubtful"]
    assert warning.count == 3 and "these cells empty if the attribute is" in warning.message


def test_attributes_that_are_numbered_from_one_have_no_value_that_no_image_has(root: Path, limits: Settings) -> None:
    sexes = ("1", "", "3")
    table(root, [f"{line},{sexes[i % 3]}" for i, line in enumerate(named("{i}.jpg"))], header="path,label,a")
    found = imported(root, limits)
    assert require(found).attribute_names == ("1", "3")
    assert require(found).attributes.tolist() == [0, -1, 1] * 8
    assert "attributes 1, 3, but 0, 2 in" in notes(found)


@pytest.mark.parametrize("one", ["1", "1.0"])
def test_minus_one_and_one_are_two_values_and_not_one_that_is_unknown(root: Path, limits: Settings, one: str) -> None:
    signs = (one, f"-{one}", "")
    table(root, [f"{line},{signs[i % 3]}" for i, line in enumerate(named("{i}.jpg"))], header="path,label,male")
    found = import_data(root, options={"attribute": "male"}, settings=limits)
    assert require(found).attribute_names == ("-1", "1") and (require(found).attributes == -1).sum() == 8
    table(root, named("{i}.jpg", lambda i: signs[i % 2]))
    assert require(imported(root, limits)).label_names == ("-1", "1")


# What lies in folders and is not read


@pytest.mark.parametrize("suffix", [".jfif", ".JPE", ".pgm"])
def test_other_suffixes_of_forms_that_are_read(tmp_path: Path, limits: Settings, suffix: str) -> None:
    for i in range(N):
        save_image(tmp_path / "x" / f"{i}{'.ppm' if suffix == '.pgm' else '.jpg'}", i)
    for i, path in enumerate(sorted((tmp_path / "x").iterdir())):
        (tmp_path / "set" / ("cat", "dog")[i % 2]).mkdir(parents=True, exist_ok=True)
        path.rename(tmp_path / "set" / ("cat", "dog")[i % 2] / f"{i}{suffix}")
    assert len(require(imported(tmp_path / "set", limits))) == N


def test_links_deep_folders_and_files_without_suffix_are_left_out_and_named(tmp_path: Path, limits: Settings) -> None:
    for i in range(N):
        save_image(tmp_path / "set" / ("cat", "dog")[i % 2] / f"{i}.jpg", i)
    save_image(tmp_path / "birds" / "1.jpg", 100)
    (tmp_path / "set" / "bird").symlink_to(tmp_path / "birds")
    (tmp_path / "set" / "cat" / "loop").symlink_to(tmp_path / "set" / "cat")
    (tmp_path / "set" / "README").write_text("about")
    (tmp_path / "set" / "dog" / "0001").write_bytes((tmp_path / "birds" / "1.jpg").read_bytes())
    save_image(tmp_path / "set" / "cat" / "2026/05/03/site/camera/burst" / "1.jpg", 101)
    found = imported(tmp_path / "set", limits)
    said = notes(found)
    assert len(require(found)) == N
    assert "followed: bird, cat/loop. Only images below" in said
    assert "cat/2026/05/03/site/camera/burst." in said
    assert "left out: dog/0001. Give images theirs" in said


def test_a_class_that_is_a_link_is_named_where_a_single_class_is_left(tmp_path: Path, limits: Settings) -> None:
    save_image(tmp_path / "set" / "cat" / "0.jpg", 0)
    (tmp_path / "set" / "dog").symlink_to(tmp_path)
    (error,) = imported(tmp_path / "set", limits).report.errors
    assert error.message.endswith("put a folder for each other class beside it (links are not followed: dog).")


def test_folders_of_nothing_but_files_without_suffix_say_what_to_do(tmp_path: Path, limits: Settings) -> None:
    for name in ("cat/0001", "dog/0002"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        (tmp_path / "set" / name).write_bytes(b"\xff\xd8\xff")
    (error,) = imported(tmp_path / "set", limits).report.errors
    assert "suffix (cat/0001, dog/0002): give images" in error.message


def test_a_folder_with_a_table_for_each_split_says_which_to_name(root: Path, limits: Settings) -> None:
    for name in ("test", "train", "val"):
        table(root, named("{i}.jpg"))
        (root / "t.csv").rename(root / f"{name}.csv")
    (error,) = imported(root, limits).report.errors
    assert error.message == (
        f"{root} holds several tables (test.csv, train.csv, val.csv): name the one you mean instead of the folder, or "
        "put the rows of all into one with a column split."
    )
