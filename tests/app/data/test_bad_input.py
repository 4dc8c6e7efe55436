"""Bad input on the Data page: one sentence at the form, which keeps what was typed; nothing is left, and the next try
works."""

from __future__ import annotations

import errno
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from app import session
from slim_core.data import unpacking
from tests.app.conftest import button

N = 24


def check(app, path: object):
    app.text_input(key="import-path").set_value(str(path)).run()
    app.text_input[1].set_value("my birds")  # a browser sends it with the click
    button(app, "Check").click().run()
    assert not app.exception
    return app


def said(app) -> str:
    """All that is refused on the page, whichever way it is shown."""
    found = [one.value for one in (*app.error, *app.warning)]
    return "\n".join([*found, *(one.value for one in app.markdown if ":red[" in one.value)]).replace("\\", "")


def draw(folder: Path, n: int, start: int = 0) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{i}.png" for i in range(start, start + n)]
    for seed, name in enumerate(names, start):
        noise = np.random.default_rng(seed).integers(0, 256, (10, 12, 3), np.uint8)
        Image.fromarray(noise).save(folder / name)
    return names


def table(folder: Path, labels: list, **columns: list) -> Path:
    pd.DataFrame({"path": draw(folder, len(labels)), "label": labels, **columns}).to_csv(folder / "t.csv", index=False)
    return folder


def page_as_archive(folder: Path) -> Path:
    (folder / "birds.tar.gz").write_bytes(b"<!DOCTYPE html><title>404</title>")
    return folder / "birds.tar.gz"


def other_encoding(folder: Path) -> Path:
    names = draw(folder, N)
    rows = "".join(f"{name},{'Käfer' if i % 2 else 'Bär'}\n" for i, name in enumerate(names))
    (folder / "t.csv").write_bytes(f"path,label\n{rows}".encode("latin-1"))
    return folder


def many_classes(folder: Path) -> Path:
    (folder / "0.png").write_bytes(b"")
    frame = pd.DataFrame({"path": ["0.png"] * 40_000, "label": [f"class {i}" for i in range(40_000)]})
    frame.to_csv(folder / "t.csv", index=False)
    return folder


def loop(folder: Path) -> Path:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a"


def loops_inside(folder: Path) -> Path:
    for name in ("cat", "dog"):
        (folder / name).symlink_to(folder)
    return folder


def single_images(folder: Path) -> Path:
    for i, name in enumerate(("a", "b", "c", "d")):
        draw(folder / name, 1 if i > 1 else 6, 10 * i)
    return folder


def empty_tree(folder: Path) -> Path:
    for name in ("train/cat", "train/dog", "test/cat", "test/dog"):
        (folder / name).mkdir(parents=True)
    return folder


def an_image(folder: Path) -> Path:
    return folder / draw(folder, 1)[0]


def a_text(folder: Path) -> Path:
    (folder / "notes.md").write_text("# Birds\n")
    return folder / "notes.md"


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a page for an archive": (page_as_archive, "a web page"),
    "another encoding": (other_encoding, "line 2 "),
    "40,000 classes": (many_classes, "has 40,000 different labels, more than 10,000: name another column"),
    "negative labels": (lambda at: table(at, [-1, 0, 1] * 8), "such as '-1' (lines 2, 5, 8"),
    "fractions as labels": (lambda at: table(at, [0.5, 1.0, 0.0] * 8), "'0.5' (lines 2, 5, 8"),
    "one class": (lambda at: table(at, ["cat"] * N), "a single class"),
    "an empty label": (lambda at: table(at, ["cat", "dog", ""] * 8), "unknown label '' (lines 4, 7, 10"),
    "unknown splits": (
        lambda at: table(at, ["cat", "dog"] * 12, split=["train", "extra"] * 12),
        "unknown split 'extra' (lines 3, 5, 7",
    ),
    "a link to itself": (loop, "cannot be"),
    "links in a circle": (
        loops_inside,
        "links to folders",
    ),
    "classes of one image": (single_images, "2 of 4 classes"),
    "an empty folder": (lambda at: at, "is empty"),
    "folders without images": (empty_tree, "holds no image"),
    "an image": (an_image, "is an image"),
    "some other file": (a_text, "is neither"),
    "nothing": (lambda at: at / "typo", "does not exist"),
    "a path outside": (lambda _: Path("/etc"), "lies outside"),
    "no path at all": (lambda _: Path("\0"), "cannot be"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bad").mkdir()
    return tmp_path / "bad"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    for i, name in enumerate(("cat", "dog")):
        draw(tmp_path / "good" / name, 8, 100 * i)
    return tmp_path / "good"


def kept(home: Path) -> list[str]:
    """What registering leaves in a home."""
    return [str(path.relative_to(home)) for name in ("datasets", "uploads") for path in (home / name).rglob("*.*")]


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_read_is_said_once_and_leaves_nothing(
    show, empty_home: Path, folder: Path, good: Path, what: str
) -> None:
    make, sentence = BAD[what]
    path = make(folder)
    app = check(show("data"), path)
    assert said(app).count(sentence) == 1, said(app)
    assert app.text_input(key="import-path").value == str(path) and app.text_input[1].value == "my birds"
    assert "Register" not in [one.label for one in app.button]
    assert session.store().datasets.all() == [] and not kept(empty_home)
    app = check(app, good)
    assert not said(app)
    button(app, "Register").click().run()
    assert [one.name for one in session.store().datasets.all()] == ["my birds"]


def test_a_folder_that_may_not_be_read_is_named(
    show, empty_home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cat", "dog"):
        draw(folder / name, 6)
    listed = os.scandir

    def refused(path: object = ".") -> object:  # as to whoever is not root, who reads every folder
        if str(path) == str(folder / "dog"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return listed(path)

    monkeypatch.setattr("slim_core.data.importers.folders.os.scandir", refused)
    app = check(show("data"), folder)
    assert "dog cannot be read (Permission denied)" in said(app)
    assert not kept(empty_home)


@pytest.mark.usefixtures("empty_home")
@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (
            {"label": "photo"},
            "column photo of photos.csv is used as image and",
        ),
        ({"label": "kind", "attribute": "kind"}, "as label and as attribute"),
        ({"label": "kind", "split": "kind"}, "as label and as split"),
    ],
)
def test_a_column_that_is_chosen_twice_is_named(show, folder: Path, chosen: dict, sentence: str) -> None:
    names = draw(folder, N)
    frame = pd.DataFrame({"photo": names, "kind": ["cat", "dog"] * 12, "area": ["sea", "sea", "land"] * 8})
    frame.to_csv(folder / "photos.csv", index=False)
    app = show("data")
    app.text_input(key="import-path").set_value(str(folder)).run()
    key = f"column-{folder}-photos.csv"
    for role, column in chosen.items():
        (app.multiselect if role == "attribute" else app.selectbox)(key=f"{key}-{role}").set_value(
            [column] if role == "attribute" else column
        )
    app.run()
    button(app, "Check").click().run()
    assert said(app).count(sentence) == 1, said(app)
    assert app.selectbox(key=f"{key}-label").value == chosen["label"], "the choice stays"
    app.selectbox(key=f"{key}-label").select("kind")
    app.selectbox(key=f"{key}-split").select("none")
    app.multiselect(key=f"{key}-attribute").set_value(["area"]).run()
    button(app, "Check").click().run()
    assert not said(app)
    button(app, "Register").click().run()
    assert len(session.store().datasets.all()) == 1


def archive(entries: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in entries.items():
            opened.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>404</html>", "a web page"),
        (archive({"a/1.png": b"x" * 999})[:-40], "cannot be unpacked"),
        (archive({"a.csv": b"0" * 3_000_000}), "more than 1 MB"),
        (archive({f"a/{i}.png": b"x" for i in range(30)}), "holds 30 files, more than 25"),
        (archive({"notes.doc": b"x"}), "holds no images"),
        (archive({"../out.png": b"x"}), "leads out"),
    ],
    ids=["web page", "cut short", "bomb", "too many files", "no images", "leads out"],
)
def test_an_archive_that_cannot_be_taken_leaves_nothing_and_the_next_is_taken(
    show, empty_home: Path, good: Path, content: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MOST_UPLOAD_MB", 1)
    monkeypatch.setattr(unpacking, "MOST_FILES", 25)
    app = show("data")
    app.text_input(key="import-path").set_value("/tmp/typed before").run()
    app.file_uploader[0].upload("mine.zip", content, "application/zip").run()
    assert not app.exception and said(app).count(sentence) == 1, said(app)
    assert app.text_input(key="import-path").value == "/tmp/typed before" and not app.success
    assert session.store().datasets.all() == [] and not kept(empty_home)
    whole = archive({str(one.relative_to(good)): one.read_bytes() for one in good.rglob("*.png")})
    app.file_uploader[0].set_value(("mine.zip", whole, "application/zip")).run()
    assert not said(app)
    (told,) = [one.value for one in app.success]
    assert "mine.zip" in told
    button(app, "Check").click().run()
    button(app, "Register").click().run()
    assert len(session.store().datasets.all()) == 1


@pytest.mark.usefixtures("empty_home")
def test_a_disk_that_fills_up_while_an_archive_is_unpacked_leaves_nothing(show, empty_home, good, monkeypatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    whole = archive({str(one.relative_to(good)): one.read_bytes() for one in good.rglob("*.png")})
    app = show("data")
    with monkeypatch.context() as patch:
        patch.setattr(unpacking.shutil, "copyfileobj", full)
        app.file_uploader[0].upload("mine.zip", whole, "application/zip").run()
    assert "cannot be unpacked (No space left on device): free some space" in said(app)
    assert not kept(empty_home)
