"""Files of a data set that are not what they seem: ways out, pipes, bombs; imported, or swapped afterwards."""

from __future__ import annotations

import functools
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from benchmarks.hostile.case import Case, Expected, Outcome
from benchmarks.hostile.clients import Request, http_request, slim
from benchmarks.hostile.kinds.tables import GOOD, pictured
from benchmarks.hostile.studio import Studio
from slim_core.data.importing import import_data

Change = Callable[[Studio, Path], object]  # of a folder that holds twelve images and their table
NOT_IMAGES: dict[str, bytes] = {
    "nothing": b"",
    "HTML": b"<html><script>alert(1)</script>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "ZIP": b"PK\x03\x04" + bytes(100),
    "PDF": b"%PDF-1.7\n%%EOF",
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
    "noise": bytes(range(256)) * 8,
    "a cut PNG": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "a broken TIFF": b"II*\x00\xff\xff\xff\xff" + bytes(64),
    "a BMP of 2^31 pixels": b"BM"
    + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, 2**30, 2, 1, 24, 0, 0, 0, 0, 0, 0),
    "a PPM of 10^10 pixels": b"P6 100000 100000 255\n",
}
PATHS: dict[str, Expected] = {
    "../../outside/secret.png": "refused",
    "./../../outside/secret.png": "refused",
    "OUTSIDE/secret.png": "refused",
    "/proc/self/environ": "refused",
    "/dev/zero": "refused",
    "/dev/stdin": "refused",
    "file:///etc/passwd": "refused",
    "http://127.0.0.1:1/x.png": "refused",
    "missing.png": "refused",
    ".": "refused",
    "": "refused",
    "0.png/": "refused",
    "0.png/x": "refused",
    "~/x.png": "refused",
    "n" * 5_000: "refused",
    "..%2f..%2foutside%2fsecret.png": "refused",
    "..\\..\\outside\\secret.png": "refused",
    "../inside/demo/../../outside/secret.png": "refused",
}


def cases(studio: Studio, seed: int) -> list[Case]:  # noqa: ARG001  # nothing is drawn here
    """Imports first; then images of a registered set that others have taken the place of, asked for over HTTP."""
    made = [
        Case(f"path {path[:60]!r}", _importing(functools.partial(_name, path=path)), expected)
        for path, expected in PATHS.items()
    ]
    made += [
        Case(f"not an image: {name}", _importing(functools.partial(_put, content=content)))
        for name, content in NOT_IMAGES.items()
    ]
    made += [Case(name, _importing(change), expected) for name, (change, expected) in CHANGES.items()]
    made += [Case(f"swapped: {name}", _swapped(studio, change)) for name, change in SWAPS.items()]
    return [*made, *_folders()]


def _folders() -> list[Case]:
    """What is named in place of a folder of data."""
    named: dict[str, Callable[[Studio], object]] = {
        "the folder outside": lambda studio: studio.canaries.folder,
        "back through a folder": lambda studio: studio.inside / "demo" / ".." / ".." / "outside",
        "/etc": lambda _: "/etc",
        "/": lambda _: "/",
        "/proc/self/fd": lambda _: "/proc/self/fd",
        "5,000 letters": lambda _: "n" * 5_000,
        "a link outside": lambda studio: _link(studio.inside / "way-out", studio.canaries.folder),
        "a link to itself": lambda studio: _link(studio.inside / "loop", Path("loop")),
        "a home of nobody": lambda _: "~nobody-of-this-name",
        "an address": lambda _: "https://example.invalid/data.zip",
        "a bucket": lambda _: "s3://bucket/data",
        "nothing": lambda _: "",
    }
    return [
        Case(f"folder: {name}", lambda studio, of=of: slim(studio, "import", of(studio))) for name, of in named.items()
    ]


def _link(path: Path, target: Path) -> Path:
    if not path.is_symlink():
        path.symlink_to(target)
    return path


def _name(studio: Studio, folder: Path, *, path: str) -> None:
    named = path.replace("OUTSIDE", str(studio.canaries.folder))
    (folder / "metadata.csv").write_text(GOOD.replace("0.png", named, 1))


def _put(studio: Studio, folder: Path, *, content: bytes) -> None:  # noqa: ARG001
    (folder / "0.png").write_bytes(content)


def _replaced(path: Path, target: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    path.symlink_to(target)


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _through_a_link(studio: Studio, folder: Path) -> None:
    (folder / "m").symlink_to(studio.canaries.folder / "sub")
    (folder / "metadata.csv").write_text(GOOD.replace("0.png", "m/../secret.png", 1))


def _masked(studio: Studio, folder: Path, mask: str) -> None:
    lines = GOOD.splitlines()
    named = mask.replace("OUTSIDE", str(studio.canaries.folder))
    (folder / "metadata.csv").write_text("\n".join([lines[0] + ",mask", *(f"{line},{named}" for line in lines[1:])]))


def _bomb(width: int, height: int) -> bytes:
    """A PNG of that size in a few hundred bytes: one row, packed again and again."""
    packer = zlib.compressobj(9)
    row = b"\x00" + bytes((width + 7) // 8)
    rows = min(height, 3)
    data = packer.compress(row * rows) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, (b"IHDR", b"IDAT", b"IEND"), (head, data, b"")))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _text_bomb() -> bytes:
    """A small PNG with 60 MB of text beside its pixels."""
    text = b"Comment\x00\x00" + zlib.compress(bytes(60_000_000), 9)
    head = struct.pack(">IIBBBBB", 1, 1, 1, 0, 0, 0, 0)
    chunks = map(_chunk, (b"IHDR", b"zTXt", b"IDAT", b"IEND"), (head, text, zlib.compress(b"\x00\x00"), b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _put_strip(studio: Studio, folder: Path) -> None:  # noqa: ARG001
    Image.new("RGB", (50_000, 1)).save(folder / "0.png")


CHANGES: dict[str, tuple[Change, Expected]] = {
    "a path back through a link": (_through_a_link, "refused"),
    "an image linked outside": (lambda s, f: _replaced(f / "0.png", s.canaries.image), "refused"),
    "an image linked to a relative way out": (
        lambda _, f: _replaced(f / "0.png", Path("../../outside/secret.png")),
        "refused",
    ),
    "an image linked to itself": (lambda _, f: _replaced(f / "0.png", Path("0.png")), "refused"),
    "a pipe as image": (lambda _, f: _pipe(f / "0.png"), "refused"),
    "a folder as image": (lambda _, f: ((f / "0.png").unlink(), (f / "0.png").mkdir()), "refused"),
    "a pipe as table": (lambda _, f: _pipe(f / "metadata.csv"), "refused"),
    "a folder as table": (lambda _, f: ((f / "metadata.csv").unlink(), (f / "metadata.csv").mkdir()), "either"),
    "a table linked outside": (lambda s, f: _replaced(f / "metadata.csv", s.canaries.table), "refused"),
    "a table linked to /dev/zero": (lambda _, f: _replaced(f / "metadata.csv", Path("/dev/zero")), "refused"),
    "a mask outside": (lambda s, f: _masked(s, f, "OUTSIDE/sub/mask.png"), "refused"),
    "a mask on a way out": (lambda s, f: _masked(s, f, "../../outside/sub/mask.png"), "refused"),
    "a missing mask": (lambda s, f: _masked(s, f, "nothing.png"), "either"),
    "a mask of another size": (
        lambda s, f: (Image.new("L", (3, 3)).save(f / "m.png"), _masked(s, f, "m.png")),
        "either",
    ),
    "30,000 x 30,000 pixels in a PNG": (lambda _, f: (f / "0.png").write_bytes(_bomb(30_000, 30_000)), "refused"),
    "1 x 40,000,000 pixels in a PNG": (lambda _, f: (f / "0.png").write_bytes(_bomb(1, 40_000_000)), "either"),
    "60 MB of text in a PNG": (lambda _, f: (f / "0.png").write_bytes(_text_bomb()), "refused"),
    "a strip of 50,000 x 1": (_put_strip, "accepted"),
    "config.json of nested lists": (lambda _, f: (f / "config.json").write_text("[" * 200_000), "either"),
    "annotations.json of 5,000 digits": (
        lambda _, f: (f / "annotations.json").write_text('{"a": ' + "9" * 5_000 + "}"),
        "either",
    ),
    "config.json linked outside": (lambda s, f: (f / "config.json").symlink_to(s.canaries.text), "either"),
}
SWAPS: dict[str, Change] = {
    "an image by a link outside": lambda s, f: _replaced(f / "0.png", s.canaries.image),
    "an image by a pipe": lambda _, f: _pipe(f / "0.png"),
    "an image by a folder": lambda _, f: ((f / "0.png").unlink(), (f / "0.png").mkdir()),
    "an image by /dev/zero": lambda _, f: _replaced(f / "0.png", Path("/dev/zero")),
    "an image by a bomb": lambda _, f: (f / "0.png").write_bytes(_bomb(30_000, 30_000)),
    "an image by HTML": lambda _, f: (f / "0.png").write_bytes(NOT_IMAGES["HTML"]),
    "an image by nothing": lambda _, f: (f / "0.png").unlink(),
    "the folder by a link outside": lambda s, f: (
        shutil.copy(s.canaries.image, s.canaries.folder / "0.png"),
        s.canaries.touched(),
        _replaced(f, s.canaries.folder),
    ),
}


def _importing(change: Change) -> Callable[[Studio], Outcome]:
    def send(studio: Studio) -> Outcome:
        folder = pictured(studio)
        (folder / "metadata.csv").write_text(GOOD)
        change(studio, folder)
        try:
            return slim(studio, "import", folder, "--files", "all")
        finally:
            shutil.rmtree(folder)

    return send


def _swapped(studio: Studio, change: Change) -> Callable[[Studio], Outcome]:
    """A good set, registered now; then it is changed, and its first image is asked for."""
    folder = pictured(studio)
    (folder / "metadata.csv").write_text(GOOD)
    dataset = studio.store.datasets.register(import_data(folder, settings=studio.settings), by="benchmark")

    def send(studio: Studio) -> Outcome:
        change(studio, folder)
        return http_request(studio, Request(f"/api/image/{dataset.id}/0?size=96&token={studio.token()}"))

    return send
