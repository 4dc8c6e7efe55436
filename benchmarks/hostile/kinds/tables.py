"""Tables of a data set: encodings, shapes, labels, splits, boxes, names; read by ``slim import``."""

from __future__ import annotations

import csv
import functools
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from PIL import Image

from benchmarks.hostile.case import Case, Expected, Outcome
from benchmarks.hostile.clients import slim
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Studio

N = 12
DRAWN = 24
HEADER = "path,split,label\n"
ROWS = [f"{i}.png,{'train' if i < 8 else 'val'},{'ab'[i % 2]}\n" for i in range(N)]
GOOD = HEADER + "".join(ROWS)
LABELS: dict[str, tuple[list[object], Expected]] = {
    "negative": ([-1, 1] * 6, "accepted"),
    "fractions": ([0.5, 1.5] * 6, "either"),
    "nan": (["nan", 1] * 6, "either"),
    "inf": (["inf", 1] * 6, "either"),
    "1e308": (["1e308", 1] * 6, "either"),
    "10^30": ([10**30, 1] * 6, "either"),
    "mistyped 9999": ([0, 1] * 5 + [0, 9999], "refused"),
    "one class": ([0] * N, "refused"),
    "empty": (["", "a"] * 6, "refused"),
    "mixed": (["a", 1] * 6, "either"),
    "spaces": ([" ", "a"] * 6, "refused"),
}
SPLITS: dict[str, tuple[list[object], Expected]] = {
    "unknown words": (["north", "south"] * 6, "refused"),
    "3": ([0, 3] * 6, "refused"),
    "-1": ([-1, 0] * 6, "refused"),
    "nan": (["nan", "train"] * 6, "refused"),
    "1e400": (["1e400", "train"] * 6, "refused"),
    "train alone": (["train"] * N, "either"),
}
ATTRIBUTES: dict[str, tuple[list[object], Expected]] = {
    "negative": ([-1, 0] * 6, "either"),
    "mistyped 9999": ([0, 1] * 5 + [0, 9999], "refused"),
    "inf": (["inf", 0] * 6, "either"),
    "one an image": (list(range(N)), "either"),
}
BOXES: dict[str, tuple[object, Expected]] = {
    "negative": (-5, "either"),
    "zero": (0, "either"),
    "nan": ("nan", "either"),
    "inf": ("inf", "refused"),
    "-inf": ("-inf", "refused"),
    "1e308": ("1e308", "refused"),
    "text": ("wide", "refused"),
    "10^30": (10**30, "refused"),
}
NAMES = ("<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "=HYPERLINK(1)", "\x1b[31mred", "[/]", "[b",
         "é" * 60, "a\rb", "../../up", "'; DROP TABLE runs; --", "%s%n{0}", "$(touch x)", "x" * 5_000)  # fmt: skip
RAW: dict[str, tuple[bytes, Expected]] = {
    "latin-1": (GOOD.replace("a\n", "caf\xe9\n").encode("latin-1"), "refused"),
    "UTF-16": (GOOD.encode("utf-16"), "refused"),
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + GOOD.encode(), "accepted"),
    "CRLF": (GOOD.replace("\n", "\r\n").encode(), "accepted"),
    "NUL": (GOOD.replace("a\n", "a\x00\n", 1).encode(), "either"),
    "ragged": (GOOD.encode() + b"1.png,train,a,b,c,d\n", "refused"),
    "an open quote": (GOOD.encode() + b'"1.png,train', "refused"),
    "empty": (b"", "either"),
    "header alone": (HEADER.encode(), "refused"),
    "one row": ((HEADER + ROWS[0]).encode(), "refused"),
    "no header": ("".join(ROWS).encode(), "refused"),
    "noise": (bytes(range(256)) * 40, "refused"),
    "a column doubled": (b"path,split,label,label\n0.png,train,a,b\n1.png,val,b,a\n", "either"),
    "columns without names": (b",,\n0.png,train,a\n1.png,val,b\n", "refused"),
    "a column of 20 MB": ((HEADER + f"0.png,train,{'a' * 20_000_000}\n1.png,val,b\n").encode(), "refused"),
    "100,000 columns": (
        ("path,split,label," + ",".join(f"c{i}" for i in range(100_000)) + "\n0.png,train,a\n").encode(),
        "either",
    ),
    "20,000 rows of missing images": ((HEADER + "x.png,train,a\ny.png,val,b\n" * 10_000).encode(), "refused"),
    "10,001 classes": ((HEADER + "".join(f"0.png,train,n{i}\n" for i in range(10_001))).encode(), "refused"),
}


def cases(studio: Studio, seed: int) -> list[Case]:  # noqa: ARG001  # as every kind
    """Every table in a folder of its own, with twelve images beside it."""
    made = [*_raw(), *_columns(), *_names(), *_parquets()]
    made += [_table_case(f"drawn {i}", content, "either", is_drawn=True) for i, content in enumerate(_drawn(seed))]
    return made


def _raw() -> list[Case]:
    return [_table_case(name, content, expected) for name, (content, expected) in RAW.items()]


def _columns() -> list[Case]:
    made = []
    for column, values in (("label", LABELS), ("split", SPLITS), ("attribute", ATTRIBUTES)):
        made += [
            _table_case(f"{column}: {name}", _csv(**{column: cells}), expected)
            for name, (cells, expected) in values.items()
        ]
    for name, (cell, expected) in BOXES.items():
        boxes = dict.fromkeys(("box_x", "box_y", "box_width", "box_height"), [4] * N) | {"box_x": [cell] * N}
        made.append(_table_case(f"box: {name}", _csv(**boxes), expected))
    return made


def _names() -> list[Case]:
    """Hostile names of classes and of the set are good data: they are registered, and every page shows them later."""
    made = [
        Case(f"class named {name[:40]!r}", _importing(_csv(label=[name, "other"] * 6), "--register"), "either")
        for name in NAMES
    ]
    made += [
        Case(f"set named {name[:40]!r}", _importing(_csv(), "--register", "--name", name), "either") for name in NAMES
    ]
    return made


def _parquets() -> list[Case]:
    frame = pd.read_csv(io.StringIO(GOOD))
    half = _parquet(frame)[:200]
    lists = _parquet(frame.assign(label=[[1, 2]] * N))
    made = {
        "cut": half,
        "nothing but its mark": b"PAR1",
        "lists as labels": lists,
        "bytes as labels": _parquet(frame.assign(label=[b"\xff", b"\xfe"] * 6)),
        "dates as labels": _parquet(frame.assign(label=pd.date_range("2020", periods=N))),
        "a null": _parquet(frame.assign(label=["a", None] * 6)),
        "6,000,000 equal rows": _parquet(pd.DataFrame({"path": "0.png", "split": "train", "label": [0] * 6_000_000})),
    }
    return [_table_case(f"parquet: {name}", content, "refused" if name != "dates as labels" else "either",
                        "metadata.parquet") for name, content in made.items()]  # fmt: skip


def _drawn(seed: int) -> list[bytes]:
    cell = st.one_of(
        st.text(max_size=12),
        st.integers().map(str),
        st.floats().map(str),
        st.sampled_from(["", "NA", "0.png", "train"]),
    )
    row = st.lists(cell, min_size=3, max_size=5)
    rows = st.lists(row, min_size=2, max_size=20)
    return [(HEADER + text).encode("utf-8", "surrogatepass") for text in drawn(rows.map(_as_csv), DRAWN, of_seed=seed)]


def _as_csv(rows: list[list[str]]) -> str:
    """Cells that are missing at the end of a line are empty."""
    width, buffer = max(map(len, rows)), io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([*row, *[""] * (width - len(row))] for row in rows)
    return buffer.getvalue()


def _csv(**columns: object) -> bytes:
    frame = pd.read_csv(io.StringIO(GOOD)).astype(object).assign(**columns)
    return frame.to_csv(index=False).encode("utf-8", "surrogatepass")


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def _table_case(
    name: str, content: bytes, expected: Expected, file: str = "metadata.csv", *, is_drawn: bool = False
) -> Case:
    return Case(name, _importing(content, file=file), expected, drawn=is_drawn)


def _importing(content: bytes, *words: str, file: str = "metadata.csv") -> Callable[[Studio], Outcome]:
    def send(studio: Studio) -> Outcome:
        folder = pictured(studio)
        (folder / file).write_bytes(content)
        try:
            return slim(studio, "import", folder, *words)
        finally:
            if "--register" not in words:
                shutil.rmtree(folder)

    return send


def pictured(studio: Studio) -> Path:
    """A new folder with twelve images."""
    folder = studio.inside / f"case-{sum(1 for _ in studio.inside.iterdir())}"
    shutil.copytree(_pictures(studio.folder), folder)
    return folder


@functools.lru_cache(maxsize=1)
def _pictures(folder: Path) -> Path:
    (folder / "pictures").mkdir()
    for i in range(N):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{i}.png")
    return folder / "pictures"
