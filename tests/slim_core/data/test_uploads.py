"""Archives that are sent: what is good is unpacked once, what is hostile leaves nothing behind."""

from __future__ import annotations

import io
import random
import stat
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from slim_core.data import unpacking
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.data.unpacking import UPLOADS, unpack_upload
from slim_core.errors import DataRefusedError
from slim_core.settings import Settings
from tests.hub import hub
from tests.refusals import missing
from tests.slim_core.data.conftest import save_image
from tests.small_disk import mounted


@pytest.fixture
def image(tmp_path) -> bytes:
    save_image(tmp_path / "one.jpg", 1)
    return (tmp_path / "one.jpg").read_bytes()


def archive(entries: dict[str, bytes], **links: str) -> io.BytesIO:
    """A zip of these files, and of links to elsewhere."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in entries.items():
            opened.writestr(name, data)
        for name, target in links.items():
            entry = zipfile.ZipInfo(f"{name}.jpg")
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            opened.writestr(entry, target)
    content.seek(0)
    return content


def refused(home: Path, content: io.BytesIO, name: str = "sent.zip") -> str:
    with pytest.raises(DataRefusedError) as caught:
        unpack_upload(content, name, home)
    assert not [path for path in (home / UPLOADS).rglob("*") if path.is_file()], "something was left behind"
    return str(caught.value)


def test_an_archive_of_class_folders_is_unpacked_once_and_imported(tmp_path):
    for i in range(24):
        save_image(tmp_path / "made" / ("cat", "dog")[i % 2] / f"{i}.jpg", i)
    files = {
        f"pets/{one.relative_to(tmp_path / 'made')}": one.read_bytes() for one in (tmp_path / "made").rglob("*.jpg")
    }
    content = archive({**files, "__MACOSX/pets/._0.jpg": b"x", "pets/.hidden.jpg": b"x", "pets/readme.md": b"x"})
    folder = unpack_upload(content, "my pets.zip", tmp_path / "home")
    assert folder == (tmp_path / "home" / "uploads").resolve() / folder.parts[-3] / "my pets" / "pets"
    content.seek(0)
    assert unpack_upload(content, "my pets.zip", tmp_path / "home") == folder
    table = require(import_data(folder, settings=Settings(home=tmp_path / "home", data_roots=())))
    assert len(table) == 24 and table.label_names == ("cat", "dog")


def test_a_repository_of_the_hub_that_is_sent_keeps_the_name_of_its_archive(tmp_path):
    made = hub(tmp_path / "made")
    files = {str(one.relative_to(made)): one.read_bytes() for one in made.rglob("*") if one.is_file()}
    folder = unpack_upload(archive(files), "pets.zip", tmp_path / "home")
    limits = Settings(home=tmp_path / "home", data_roots=())
    table = require(import_data(folder, settings=limits, options={"unpack": "yes"}))
    assert (table.name, len(table)) == ("pets", 32)


def test_pictures_of_forms_that_are_not_read_are_said_of_an_archive_too(tmp_path, image):
    files = {f"{('cat', 'dog')[i % 2]}/{i}.jpg": image for i in range(24)}
    folder = unpack_upload(archive({**files, "cat/phone.HEIC": b"x"}), "pets.zip", tmp_path / "home")
    found = import_data(folder, settings=Settings(home=tmp_path / "home", data_roots=())).report.findings
    assert any("(1 .heic): convert them to" in one.message for one in found)


def test_a_table_at_the_top_is_unpacked_beside_its_images(tmp_path, image):
    table = pd.DataFrame({"path": ["a.jpg"], "label": [0]}).to_csv(index=False).encode()
    folder = unpack_upload(archive({"a.jpg": image, "labels.csv": table}), "x.zip", tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", "labels.csv"]


@pytest.mark.parametrize("name", ["../../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "..\\evil.jpg", "C:/evil.jpg"])
def test_a_name_that_leads_out_is_refused(tmp_path, image, name):
    said = refused(tmp_path / "home", archive({"a.jpg": image, name: image}))
    assert "archive from inside" in said
    assert not list(tmp_path.rglob("evil.jpg"))


def test_links_are_not_taken(tmp_path, image):
    folder = unpack_upload(archive({"a.jpg": image}, link="/etc/passwd"), "x.zip", tmp_path)
    assert [path.name for path in folder.iterdir()] == ["a.jpg"]


def test_an_archive_damaged_inside_is_not_taken_for_a_full_disk(tmp_path):
    content = archive({"table.csv": ("path,label\n" + "".join(f"{i}.jpg,{i % 7}\n" for i in range(999))).encode()})
    damaged = bytearray(content.getvalue())
    damaged[1_000:1_099] = bytes(99)
    said = refused(tmp_path, io.BytesIO(bytes(damaged)))
    assert "cannot be unpacked" in said and str(tmp_path) not in said


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_zipfile_would_unpack_at_once_is_refused_before_it_is(tmp_path, method):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as opened:
        opened.writestr("table.csv", bytes(10_000_000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was unpacked"))
        assert not missing(refused(tmp_path, content), "bzip2")


def test_an_archive_that_is_locked_names_the_file_and_not_an_object_of_python(tmp_path, image):
    content = bytearray(archive({"a.jpg": image}).getvalue())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(signature) + flags] |= 1
    said = refused(tmp_path, io.BytesIO(bytes(content)))
    assert not missing(said, "'a.jpg'", "password") and "ZipInfo" not in said


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a.jpg", "./a.jpg", "a.jpg/b.jpg"])
def test_a_file_that_is_named_twice_is_refused_by_its_name(tmp_path, image, second):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        opened.writestr("a.jpg", image)
        opened.writestr(second, image)
    said = refused(tmp_path, content)
    assert not missing(said, "'a.jpg' twice") and "space" not in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>moved</html>", "a web page"),
        (b"PK\x03\x04", "an archive"),
    ],
)
def test_an_archive_in_the_place_of_a_folder_is_refused_with_what_to_do(data, limits, content, said):
    (data / "birds.tar.gz").write_bytes(content)
    (error,) = import_data(data / "birds.tar.gz", settings=limits).report.errors
    assert not missing(error.message, data / "birds.tar.gz", said)


def test_a_full_disk_is_said_with_the_folder_that_needs_space(tmp_path, image):
    with mounted(tmp_path / "small-disk", 1) as home:
        content = archive({"a/1.jpg": image, "a/2.jpg": random.Random(0).randbytes(2_000_000)})
        said = refused(home, content)
        assert not missing(said, home / UPLOADS)
        assert unpack_upload(archive({"a/1.jpg": image}), "small.zip", home).is_dir()


def test_an_entry_without_a_name_is_passed_over(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        opened.writestr("a.png", b"a")
        opened.writestr("b.png", b"b")
        opened.filelist[1].filename = ""  # in the list of the archive, which is read
    assert [path.name for path in unpack_upload(content, "mine.zip", tmp_path).iterdir()] == ["a.png"]


BIG, JSON = b"0" * 2_000_000, b"[]," * 200_000


@pytest.mark.parametrize(
    ("limit", "most", "entries", "said"),
    [
        ("MOST_UPLOAD_MB", 3, {"a.csv": BIG, "b.csv": BIG}, "3 MB"),
        ("MOST_JSON_MB", 1, {"a.json": JSON, "b/B.JSON": JSON}, "1 MB"),
        ("MOST_FILES", 3, dict.fromkeys([f"{i}.jpg" for i in range(4)], b"x"), "4 files"),
        ("MOST_FOLDERS", 20, dict.fromkeys([f"{i}/x.png" for i in range(21)], b"x"), "21 folders"),
        ("MOST_FOLDERS", 20, dict.fromkeys(["a/" * depth + "x.png" for depth in (400, 1200)], b"x"), "1,200 folders"),
        ("MOST_FILES", 9, {"notes.txt.md": b"x"}, "images or tables"),
    ],
)
def test_more_than_is_allowed_is_refused_and_leaves_nothing_behind(tmp_path, monkeypatch, limit, most, entries, said):
    monkeypatch.setattr(unpacking, limit, most)
    content = archive(entries)
    assert len(content.getvalue()) < 10_000
    assert not missing(refused(tmp_path, content), "'sent.zip'", said)
    assert not any(path.is_dir() and path.name == "a" for path in (tmp_path / UPLOADS).rglob("*"))
    assert unpack_upload(archive({"a.json": JSON}), "x.zip", tmp_path).is_dir()


@pytest.mark.parametrize("name", ["a.json", "a.csv"])
def test_what_an_archive_promises_is_not_believed(tmp_path, monkeypatch, name):
    """Its directory says that a file has 10 bytes; it has two million."""
    monkeypatch.setattr(unpacking, "MOST_UPLOAD_MB", 1)
    content, size = archive({name: BIG}).getvalue(), len(BIG).to_bytes(4, "little")
    assert content.count(size) == 2
    assert "cannot be unpacked" in refused(tmp_path, io.BytesIO(content.replace(size, (10).to_bytes(4, "little"))))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda _: b"  <!DOCTYPE html><html>404 Not found</html>", "a web page"),
        (lambda _: b"\x1f\x8b not a zip", "not a zip file"),
        (lambda _: b"", "cannot be unpacked"),
        (lambda image: archive({"a.jpg": image}).getvalue()[:-30], "cannot be unpacked"),
    ],
)
def test_what_is_no_archive_or_a_damaged_one_is_said_to_be_so(tmp_path, image, content, said):
    assert said in refused(tmp_path, io.BytesIO(content(image)))
