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
from tests.refusals import missing
from tests.slim_core.data.conftest import save_image
from tests.slim_core.data.faults import imported

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


def notes(found: Imported) -> str:
    return " ".join(one.message for one in found.report.findings if one.level == "note")


def test_names_of_images_that_are_not_in_utf_8_are_refused_in_a_sentence(tmp_path: Path, limits: Settings) -> None:
    folder = tmp_path / "pets"
    for i in range(N):
        save_image(folder / ("cat", "dog")[i % 2] / f"{i}.jpg", i)
    os.rename(folder / "dog" / "1.jpg", os.fsencode(folder / "dog") + b"/caf\xe9.jpg")
    (error,) = imported(folder, limits).report.errors
    assert not missing(error.message, 1, N, folder, "UTF-8", "dog/caf")


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
    assert not missing(notes(found), begins, root)


def test_of_paths_of_another_machine_those_that_begin_otherwise_are_refused(root: Path, limits: Settings) -> None:
    lines = named("/home/alice/pets/{i}.jpg")
    table(root, [*lines[:-1], "/etc/23.jpg,dog"])
    (error,) = imported(root, limits).report.errors
    assert error.code == "path-escape" and "(line 25)" in error.message


@pytest.mark.parametrize("words", [("Train", "VALIDATION", "test"), ("0", "1", "2"), (" train", "dev ", "Testing")])
def test_splits_are_understood_however_they_are_written(root: Path, limits: Settings, words: tuple) -> None:
    lines = [f"{i}.jpg,{'cat' if i < 12 else 'dog'},{words[i % 3]}" for i in range(N)]
    table(root, lines, header="path,label,split")
    assert [len(require(imported(root, limits)).rows(split)) for split in ("train", "val", "test")] == [8, 8, 8]


# Folders


def test_pictures_of_forms_that_are_not_read_are_counted_and_never_left_out_unsaid(tmp_path: Path, limits) -> None:
    for i in range(N):
        save_image(tmp_path / "set" / ("cat", "dog")[i % 2] / f"{i}.jpg", i)
    for name in ("cat/a.HEIC", "dog/b.heic", "dog/c.avif"):
        (tmp_path / "set" / name).write_bytes(b"\0\0\0\x18ftypheic")
    assert "(2 .heic, 1 .avif)" in notes(imported(tmp_path / "set", limits))


# Cells beside their columns


def test_lines_are_those_of_the_file_behind_cells_with_line_breaks(root: Path, limits: Settings) -> None:
    lines = [f'{line},"one\ntwo"' for line in named("{i}.jpg")]
    table(root, [*lines, "gone.jpg,cat,x"], header="path,label,note")
    (error,) = imported(root, limits).report.errors
    assert error.lines == (2 + 2 * N,) and (root / "t.csv").read_text().splitlines()[1 + 2 * N] == "gone.jpg,cat,x"


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


def test_folders_that_are_links_are_left_out_and_named(tmp_path: Path, limits: Settings) -> None:
    for i in range(N):
        save_image(tmp_path / "set" / ("cat", "dog")[i % 2] / f"{i}.jpg", i)
    save_image(tmp_path / "birds" / "1.jpg", 100)
    (tmp_path / "set" / "bird").symlink_to(tmp_path / "birds")
    (tmp_path / "set" / "cat" / "loop").symlink_to(tmp_path / "set" / "cat")
    found = imported(tmp_path / "set", limits)
    assert len(require(found)) == N and not missing(notes(found), "bird, cat/loop")


def test_links_to_folders_alone_are_no_data_set(tmp_path: Path, limits: Settings) -> None:
    (tmp_path / "set").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "set")
    (error,) = imported(tmp_path / "set", limits).report.errors
    assert error.code == "no-metadata" and "links to folders" in error.message


PETS = named("{i}.jpg")


@pytest.mark.parametrize(
    ("lines", "how", "labels"),
    [
        *((named(name), {}, ("cat", "dog")) for name in ("{i}.JPG", "./{i}.jpg", " {i}.jpg ")),
        *(
            (
                [line.replace(",", mark) for line in PETS],
                {"header": f" Path {mark}Label", "encoding": encoding, "end": "\r\n"},
                ("cat", "dog"),
            )
            for mark in (",", ";", "\t", "|")
            for encoding in ("utf-8", "utf-8-sig")
        ),
        ([f'{line},"one\ntwo"' for line in PETS], {"header": "path,label,note"}, ("cat", "dog")),
        ([f"{line},," for line in PETS], {}, ("cat", "dog")),  # a delimiter at the end of every line is no cell
        ([f'"{i + 1}",{line}' for i, line in enumerate(PETS)], {}, ("cat", "dog")),  # as R numbers rows
        (named("{i}.jpg", lambda i: f"{i % 2}.0"), {}, ("0", "1")),
        (
            [f'{i}.jpg, "{("cat, big", "dog")[i % 2]}"' for i in range(N)],
            {"header": "path, label"},
            ("cat, big", "dog"),
        ),
    ],
)
def test_what_is_meant_is_read(root: Path, limits: Settings, lines: list[str], how: dict, labels: tuple) -> None:
    table(root, lines, **how)
    found = require(imported(root, limits))
    assert found.label_names == labels and len(found) == N


@pytest.mark.parametrize(
    ("lines", "how", "told"),
    [
        (PETS[1:], {"header": PETS[0]}, ["t.csv", "'0.jpg, cat'"]),
        ([*PETS[:4], PETS[4] + ",more,and more", *PETS[5:]], {}, ["line 6 has 4 cells", "header 2"]),
        (["", PETS[0] + ",0.93", *PETS[1:]], {}, ["line 3 has 3 cells", "header 2"]),
        (["", PETS[0] + ",0.93,x", *PETS[1:]], {}, ["line 3 has 4 cells", "header 2"]),
        (PETS, {"encoding": "utf-16-le"}, ["t.csv", "UTF-16"]),
    ],
)
def test_a_table_of_which_it_is_not_clear_what_is_meant_is_refused(
    root: Path, limits: Settings, lines: list[str], how: dict, told: list[str]
) -> None:
    table(root, lines, **how)
    (error,) = import_data(root / "t.csv", settings=limits).report.errors
    assert not missing(error.message, *told)


@pytest.mark.parametrize(
    ("name", "content", "asked", "told"),
    [
        ("set/cat/a.heic", b"\0\0\0\x18ftypheic", "set", ["1 .heic", "JPEG"]),
        ("set/cat/0.jpg", b"", "set", ["single class, cat"]),
        ("pets.xlsx", b"PK\x03\x04", "pets.xlsx", ["CSV in UTF-8"]),
        *(
            (f"set/{name}", POINTER.format(1).encode(), asked, [name, "Git LFS"])
            for name, asked in (
                ("data/train-00000-of-00001.parquet", "set"), ("t.csv", "set"), ("pets.zip", "set/pets.zip"),
            )
        ),
    ],
)  # fmt: skip
def test_what_is_no_data_set_is_refused_with_what_to_do(
    tmp_path: Path, limits: Settings, name: str, content: bytes, asked: str, told: list[str]
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if told == ["single class, cat"]:
        (path.parent.parent / "dog").symlink_to(tmp_path)
        told = [*told, "dog"]
    (error,) = imported(tmp_path / asked, limits).report.errors
    assert not missing(error.message, *told)


def test_a_folder_with_a_table_for_each_split_says_which_there_are(root: Path, limits: Settings) -> None:
    for name in ("test", "train", "val"):
        table(root, PETS)
        (root / "t.csv").rename(root / f"{name}.csv")
    (error,) = imported(root, limits).report.errors
    assert not missing(error.message, root, "test.csv, train.csv, val.csv")


@pytest.mark.parametrize("other", ["Cafe\u0301", "caf\u00e9 ", "CAF\u00c9"])
def test_names_that_look_the_same_are_named_in_tables_and_folders(
    root: Path, tmp_path: Path, limits: Settings, other: str
) -> None:
    names = ("Caf\u00e9", other, "dog")
    for i in range(N):
        save_image(tmp_path / "set" / names[i % 3] / f"{i}.jpg", i)
    table(root, named("{i}.jpg", lambda i: f'"{names[i % 3]}"'))
    for folder in (root, tmp_path / "set"):
        found = [one for one in imported(folder, limits).report.warnings if one.code == "label-twins"]
        assert len(found) == 1


@pytest.mark.parametrize("word", ["NA", "None", "n/a", "NULL", "?"])
def test_cells_that_may_be_missing_are_said_to_be_names(root: Path, limits: Settings, word: str) -> None:
    lines = named("{i}.jpg", lambda i: ("0", "1", word)[i % 3])
    table(root, [f"{line},{('none', 'NA')[i < 3]}" for i, line in enumerate(lines)], header="path,label,a")
    found = {one.code: one for one in imported(root, limits).report.warnings}
    assert found["label-doubtful"].lines[:5] == (4, 7, 10, 13, 16) and found["label-doubtful"].count == 8
    assert not missing(found["label-doubtful"].message, word) and found["attribute-doubtful"].count == 3, "none is one"
