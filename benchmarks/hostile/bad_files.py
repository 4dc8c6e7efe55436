"""One table of bad files: tables of a data set, what stands in place of images, and weights. Imported or registered."""

from __future__ import annotations

import functools
import io
import os
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from benchmarks.hostile.case import Case, Expected, Outcome, drawn
from benchmarks.hostile.studio import Studio
from benchmarks.hostile.ways_in import Request, http_request, slim
from slim_core.data.importing import import_data
from slim_core.models.build import build

N = 12
HEADER = "path,split,label\n"
ROWS = [f"{i}.png,{'train' if i < 8 else 'val'},{'ab'[i % 2]}\n" for i in range(N)]
GOOD = HEADER + "".join(ROWS)
Write = Callable[[Studio, Path], object]  # ``path``: of the file, which may be there


class Code:
    """Unpickled, it reads what lies outside and writes beside itself."""

    def __init__(self, studio: Studio) -> None:
        self.command = f"cp {studio.canaries.text} {studio.settings.home}/got-out"

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def _bytes(content: bytes) -> Write:
    return lambda _, path: path.write_bytes(content)


def _link(target: Callable[[Studio], Path | str]) -> Write:
    def write(studio: Studio, path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(target(studio))

    return write


def _pipe(_: Studio, path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _folder(_: Studio, path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, text: bytes = b"") -> bytes:
    """Of that size, in a few hundred bytes: three rows, packed; ``text``: beside the pixels."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress((b"\x00" + bytes((width + 7) // 8)) * min(height, 3), 9)
    beside = _chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(text, 9)) if text else b""
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + beside + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _csv(**columns: object) -> Write:
    frame = pd.read_csv(io.StringIO(GOOD)).astype(object).assign(**columns)
    return _bytes(frame.to_csv(index=False).encode("utf-8", "surrogatepass"))


def _named(path: str) -> Write:
    """A table that names this file; OUTSIDE is the folder outside the roots."""
    return lambda studio, table: table.write_text(
        GOOD.replace("0.png", path.replace("OUTSIDE", str(studio.canaries.folder)), 1)
    )


def _parquet(**columns: object) -> Write:
    frame = pd.read_csv(io.StringIO(GOOD)).assign(**columns)
    return lambda _, path: frame.to_parquet(path)


def _weights(classes: int = 2) -> dict[str, torch.Tensor]:
    return {name: one.contiguous() for name, one in build("small-resnet", classes).net.state_dict().items()}


def _changed(make: Callable[[torch.Tensor], torch.Tensor]) -> Write:
    return lambda _, path: torch.save(_weights() | {"fc.weight": make(_weights()["fc.weight"])}, path)


def _zip_bomb(_: Studio, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("archive/data/0", bytes(400_000_000))


# (file, what is wrong with it) -> how it is written, what is expected. Tables and images lie among twelve good images.
TABLE, PARQUET, IMAGE = "metadata.csv", "metadata.parquet", "0.png"
BAD: dict[tuple[str, str], tuple[Write, Expected]] = {
    (TABLE, "latin-1"): (_bytes(GOOD.replace("a\n", "caf\xe9\n").encode("latin-1")), "refused"),
    (TABLE, "UTF-16"): (_bytes(GOOD.encode("utf-16")), "refused"),
    (TABLE, "a byte order mark"): (_bytes(b"\xef\xbb\xbf" + GOOD.encode()), "accepted"),
    (TABLE, "NUL"): (_bytes(GOOD.replace("a\n", "a\x00\n", 1).encode()), "either"),
    (TABLE, "ragged"): (_bytes(GOOD.encode() + b"1.png,train,a,b,c,d\n"), "refused"),
    (TABLE, "an open quote"): (_bytes(GOOD.encode() + b'"1.png,train'), "refused"),
    (TABLE, "header alone"): (_bytes(HEADER.encode()), "refused"),
    (TABLE, "noise"): (_bytes(bytes(range(256)) * 40), "refused"),
    (TABLE, "a column of 20 MB"): (_bytes((HEADER + f"0.png,train,{'a' * 20_000_000}\n").encode()), "refused"),
    (TABLE, "100,000 columns"): (
        _bytes(("path,split,label," + ",".join(f"c{i}" for i in range(100_000)) + "\n0.png,train,a\n").encode()),
        "either",
    ),
    (TABLE, "10,001 classes"): (
        _bytes((HEADER + "".join(f"0.png,train,n{i}\n" for i in range(10_001))).encode()),
        "refused",
    ),
    (TABLE, "one class"): (_csv(label=[0] * N), "refused"),
    (TABLE, "a label mistyped"): (_csv(label=[0, 1] * 5 + [0, 9999]), "refused"),
    (TABLE, "labels of 10^30"): (_csv(label=[10**30, 1] * 6), "either"),
    (TABLE, "an empty label"): (_csv(label=["", "a"] * 6), "refused"),
    (TABLE, "an attribute mistyped"): (_csv(attribute=[0, 1] * 5 + [0, 9999]), "refused"),
    (TABLE, "unknown splits"): (_csv(split=["north", "south"] * 6), "refused"),
    (TABLE, "infinite boxes"): (
        _csv(**dict.fromkeys(("box_x", "box_y", "box_width", "box_height"), ["inf"] * N)),
        "refused",
    ),
    (TABLE, "a pipe"): (_pipe, "refused"),
    (TABLE, "a link outside"): (_link(lambda studio: studio.canaries.table), "refused"),
    (TABLE, "a link to /dev/zero"): (_link(lambda _: "/dev/zero"), "refused"),
    (PARQUET, "its mark alone"): (_bytes(b"PAR1"), "refused"),
    (PARQUET, "lists as labels"): (_parquet(label=[[1, 2]] * N), "refused"),
    (PARQUET, "a null"): (_parquet(label=["a", None] * 6), "refused"),
    (PARQUET, "6,000,000 rows in 60 kB"): (
        lambda _, path: pd.DataFrame({"path": "0.png", "split": "train", "label": [0] * 6_000_000}).to_parquet(path),
        "refused",
    ),
    **{
        (TABLE, f"an image named {path[:50]}"): (_named(path), "refused")
        for path in ("../../outside/secret.png", "OUTSIDE/secret.png", "/proc/self/environ", "/dev/zero", "missing.png",
                     "http://127.0.0.1:1/x.png", "0.png/x", "n" * 5_000, "../inside/demo/../../outside/secret.png")
    },
    (IMAGE, "nothing"): (_bytes(b""), "refused"),
    (IMAGE, "SVG"): (_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"), "refused"),
    (IMAGE, "EPS"): (_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"), "refused"),
    (IMAGE, "a cut PNG"): (_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "refused"),
    (IMAGE, "a PPM of 10^10 pixels"): (_bytes(b"P6 100000 100000 255\n"), "refused"),
    (IMAGE, "30,000 x 30,000 pixels"): (_bytes(_png(30_000, 30_000)), "refused"),
    (IMAGE, "1 x 40,000,000 pixels"): (_bytes(_png(1, 40_000_000)), "either"),
    (IMAGE, "60 MB of text in a PNG"): (_bytes(_png(1, 1, bytes(60_000_000))), "refused"),
    (IMAGE, "a strip of 50,000 x 1"): (lambda _, path: Image.new("RGB", (50_000, 1)).save(path), "accepted"),
    (IMAGE, "a link outside"): (_link(lambda studio: studio.canaries.image), "refused"),
    (IMAGE, "a link to itself"): (_link(lambda _: "0.png"), "refused"),
    (IMAGE, "a link to /dev/zero"): (_link(lambda _: "/dev/zero"), "refused"),
    (IMAGE, "a pipe"): (_pipe, "refused"),
    (IMAGE, "a folder"): (_folder, "refused"),
    ("config.json", "lists in lists"): (_bytes(b"[" * 200_000), "either"),
    ("annotations.json", "5,000 digits"): (_bytes(b'{"a": ' + b"9" * 5_000 + b"}"), "either"),
    ("config.json", "a link outside"): (_link(lambda studio: studio.canaries.text), "either"),
    ("a.pt", "a pickle"): (lambda studio, path: path.write_bytes(pickle.dumps(Code(studio), 0)), "refused"),
    ("a.pt", "code, saved by torch"): (lambda studio, path: torch.save({"fc.weight": Code(studio)}, path), "refused"),
    ("a.pt", "code, in the old form"): (
        lambda studio, path: torch.save(Code(studio), path, _use_new_zipfile_serialization=False),
        "refused",
    ),
    ("a.pt", "a module"): (lambda _, path: torch.save(torch.nn.Linear(2, 2), path), "refused"),
    ("a.pt", "a list"): (lambda _, path: torch.save([1, 2], path), "refused"),
    ("a.pt", "weights of something else"): (lambda _, path: torch.save({"a.b": torch.zeros(3)}, path), "refused"),
    ("a.pt", "no numbers"): (_changed(lambda one: torch.full_like(one, torch.nan)), "refused"),
    ("a.pt", "complex numbers"): (_changed(lambda one: one.to(torch.complex64)), "refused"),
    ("a.pt", "sparse weights"): (_changed(lambda one: one.to_sparse()), "refused"),
    ("a.pt", "a bomb"): (_zip_bomb, "refused"),
    ("a.pt", "instructions without end"): (_bytes(pickle.PROTO + b"\x02" + pickle.MARK * 20_000_000), "refused"),
    ("a.pt", "a pipe"): (_pipe, "refused"),
    ("a.pt", "a folder"): (_folder, "refused"),
    ("a.pt", "a link outside"): (_link(lambda studio: studio.canaries.text), "refused"),
    ("a.pt", "a link to /dev/zero"): (_link(lambda _: "/dev/zero"), "refused"),
    ("a.safetensors", "a header of 4 TB"): (_bytes(struct.pack("<Q", 4 * 2**40) + b"{}"), "refused"),
    ("a.safetensors", "a header of lists"): (_bytes(struct.pack("<Q", 100_000) + b"[" * 100_000), "refused"),
    ("a.safetensors", "seven classes"): (
        lambda _, path: save_file(_weights(7), path),
        "refused",
    ),
    **{(f"a{suffix}", "nothing"): (_bytes(b""), "refused") for suffix in (".pt", ".safetensors", ".exe")},
}  # fmt: skip


def cases(studio: Studio, seed: int) -> Iterator[Case]:
    """Each is imported, or registered as a model; images are swapped after a good import, too, and asked for."""
    for (file, what), (write, expected) in BAD.items():
        yield Case(f"{file}: {what}", _sending(file, write), expected)
        if file == IMAGE and expected == "refused":
            yield Case(f"{file} afterwards: {what}", _swapped(studio, write))
    rows = st.lists(st.text(max_size=40) | st.sampled_from(ROWS), min_size=2, max_size=20)
    for i, text in enumerate(drawn(rows.map("\n".join), 40, of_seed=seed)):
        yield Case(f"table {i}", _sending(TABLE, _bytes((HEADER + text).encode())), "either", drawn=True)
    for i, content in enumerate(drawn(st.binary(min_size=1, max_size=400), 30, of_seed=seed)):
        file = (IMAGE, "a.pt", "a.safetensors")[i % 3]
        yield Case(f"noise {i} as {file}", _sending(file, _bytes(content)), drawn=True)


def _sending(file: str, write: Write) -> Callable[[Studio], Outcome]:
    def send(studio: Studio) -> Outcome:
        folder = pictured(studio)
        if file == PARQUET:
            (folder / TABLE).unlink()
        write(studio, folder / file)
        try:
            if file.startswith("a."):
                named = (folder / file, studio.results.dataset, "--arch", "small-resnet", "--html", folder / "r.html")
                return slim(studio, "report", *named)
            return slim(studio, "import", folder, "--files", "all")
        finally:
            shutil.rmtree(folder)

    return send


def _swapped(studio: Studio, write: Write) -> Callable[[Studio], Outcome]:
    """A good set, registered now; then its first image is another file, and is asked for."""
    folder = pictured(studio)
    dataset = studio.store.datasets.register(import_data(folder, settings=studio.settings), by="benchmark")

    def send(studio: Studio) -> Outcome:
        write(studio, folder / IMAGE)
        return http_request(studio, Request(f"/api/image/{dataset.id}/0?size=96&token={studio.token()}"))

    return send


def pictured(studio: Studio) -> Path:
    """A new folder with twelve images and their table."""
    folder = studio.inside / f"case-{sum(1 for _ in studio.inside.iterdir())}"
    shutil.copytree(_pictures(studio.folder), folder)
    return folder


@functools.lru_cache(maxsize=1)
def _pictures(parent: Path) -> Path:
    folder = parent / "pictures"
    folder.mkdir()
    for i in range(N):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (12, 16, 3), np.uint8)).save(folder / f"{i}.png")
    (folder / TABLE).write_text(GOOD)
    return folder
