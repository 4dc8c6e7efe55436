"""A check of any file of up to 1 MB is quick and takes little memory, whatever the file unpacks to."""

from __future__ import annotations

import ast
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import slim_core

MOST_MB, MOST_S = 1_000, 10  # of a check in a process of its own: of memory beyond its start, and of processor time
MOST_MESSAGE = 1_000  # letters
CHECK = """
import json, resource, sys, time
from pathlib import Path
from slim_core.data.importing import import_data
from slim_core.settings import Settings
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_DATA, (4_000_000_000, 4_000_000_000))
mb, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time()
errors = import_data(folder, settings=Settings(home=folder.parent / "home", data_roots=(folder,))).report.errors
mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - mb
print(json.dumps([mb, time.process_time() - began, [error.message for error in errors]]))
"""
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def lines(*parts: str) -> bytes:
    return "".join(parts).encode()


def wide(n: int) -> str:
    return "path,label," + ",".join(f"c{i}" for i in range(n)) + "\n"


def json_lines(n: int, keys: int) -> bytes:
    rows = ({"file_name": f"{i}.png", "label": 0} | {f"k{i}_{j}": 1 for j in range(keys)} for i in range(n))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def coco(n: int, keys: int) -> bytes:
    images = [{"id": i, "file_name": f"{i}.png", "width": 9, "height": 9} for i in range(n)]
    objects = [
        {"image_id": i, "category_id": i % 2, "bbox": [0, 0, 1, 1]} | {f"k{i}_{j}": 1 for j in range(keys)}
        for i in range(n)
    ]
    kinds = [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}]
    return json.dumps({"images": images, "annotations": objects, "categories": kinds}).encode()


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "short lines below a wide header": ("t.csv", lambda: lines(wide(9_990), "a,0\n" * 200_000)),
    "lines of old Macs below it": ("t.csv", lambda: lines(wide(9_990).replace("\n", "\r"), "a,0\r" * 200_000)),
    "a wide first line": ("t.csv", lambda: lines("path,label\n", "," * 400_000, "\n", "a,0\n" * 100_000)),
    "a wide third line": ("t.csv", lambda: lines("path,label\na,0\n", "," * 400_000, "\n", "a,0\n" * 100_000)),
    "blanks between wide names": ("t.txt", lambda: lines("path label " + "c " * 9_000, "\n", "a 0\n" * 200_000)),
    "one quoted cell": ("t.csv", lambda: lines('path,label\n"', "a\n" * 400_000)),
    "rows without an image": ("t.csv", lambda: lines("path,label\n", "a,\n" * 330_000)),
    "a cell of 900 MB": ("metadata.csv.gz", lambda: gzip.compress(b"path,label\n" + b"a" * 900_000_000 + b",0\n")),
    "a name of 900 MB": ("metadata.csv.gz", lambda: gzip.compress(b"path,label" + b"a" * 900_000_000 + b"\n")),
    "cells of a packed table": (
        "metadata.csv.gz",
        lambda: gzip.compress(lines(wide(9_991), ("a,0" + "," * 9_991 + "\n") * 30_000)),
    ),
    "rows of a packed table": (
        "metadata.csv.gz",
        lambda: gzip.compress(lines("path,label\n", "a.png,0\n" * 2_900_000)),
    ),
    "keys of their own": ("train/metadata.jsonl", lambda: json_lines(9_000, 4)),
    "keys of a few": ("train/metadata.jsonl", lambda: json_lines(9_000, 1) + b'{"file_name":"a"}\n' * 20_000),
    "keys of annotations": ("instances_train.json", lambda: coco(700, 60)),
    "many annotations": ("instances_train.json", lambda: coco(7_000, 0)),
    "lists in lists": (
        "instances_train.json",
        lambda: lines('{"categories":[],"annotations":[],"images":', "[" * 400_000, "]" * 400_000, "}"),
    ),
    "attributes of faces": (
        "list_attr_celeba.txt",
        lambda: lines("9999\n", " ".join(f"c{i}" for i in range(9_000)), "\n", "a.jpg 1\n" * 80_000),
    ),
    "more of them": ("list_attr_celeba.txt", lambda: lines("9\n", "c " * 450_000, "\na.jpg 1\n")),
}


def same(value: pa.Array, n: int) -> pa.Array:
    """One value in so many cells."""
    return value.take(pa.array([0] * n, pa.int32()))


def table(n: int, **more: pa.Array) -> pa.Table:
    """Rows that name one image, and other columns."""
    return pa.table({"path": same(pa.array(["a.png"]), n), "label": same(pa.array([0], pa.int8()), n), **more})


def images(cell: pa.Array, n: int) -> pa.Table:
    return pa.table({"image": pa.concat_arrays([cell] * n), "label": [0] * n})


def bytes_of(mb: int) -> pa.Array:
    return pa.array([{"bytes": bytes(mb * 1_000_000), "path": "a.png"}], IMAGE)


PARQUET: dict[str, tuple[Callable[[], pa.Table], bool]] = {  # and whether values are written once each
    "rows": (lambda: table(2_900_000), True),
    "empty columns": (lambda: table(190_000, **{f"c{i}": pa.nulls(190_000, pa.int64()) for i in range(900)}), True),
    "wide values": (lambda: table(3_000, wide=same(pa.array([bytes(100_000)], pa.binary(100_000)), 3_000)), True),
    "a long list": (
        lambda: table(1, list=pa.ListArray.from_arrays(pa.array([0, 10**8], pa.int32()), pa.nulls(10**8, pa.int64()))),
        True,
    ),
    "decimal numbers": (lambda: table(190_000, **{f"c{i}": decimals(190_000) for i in range(60)}), True),
    "an image in many rows": (lambda: images(bytes_of(156), 10), True),
    "an image in as many as may be": (lambda: images(bytes_of(90), 20), True),
    "a page of zeros": (lambda: images(bytes_of(1_000), 1), False),
}


def decimals(n: int) -> pa.Array:
    return same(pa.array([1], pa.decimal128(30, 2)), n)


def checked(folder: Path) -> tuple[float, float, list[str]]:
    """Memory in MB, processor time in seconds, and what is wrong."""
    child = [sys.executable, "-c", CHECK, str(folder)]
    done = subprocess.run(child, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2_000:]
    mb, seconds, said = json.loads(done.stdout)
    return mb, seconds, said


def holds(folder: Path, file: Path) -> None:
    assert file.stat().st_size <= 1_050_000
    mb, seconds, said = checked(folder)
    assert said and all(len(message) <= MOST_MESSAGE for message in said)
    assert mb < MOST_MB and seconds < MOST_S, (mb, seconds, said)


@pytest.mark.slow
@pytest.mark.parametrize("what", FILES)
def test_of_text(tmp_path: Path, what: str) -> None:
    name, content = FILES[what]
    file = tmp_path / "data" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content())
    if file.stem == "list_attr_celeba":
        (file.parent / "list_eval_partition.txt").write_bytes(b"a.jpg 0\n")
        (file.parent / "img_align_celeba").mkdir()
    holds(tmp_path / "data", file)


@pytest.mark.slow
@pytest.mark.parametrize("what", PARQUET)
def test_of_parquet(tmp_path: Path, what: str) -> None:
    content, once = PARQUET[what]
    file = tmp_path / "data" / "train-00000-of-00001.parquet"
    file.parent.mkdir()
    pq.write_table(content(), file, compression="zstd", use_dictionary=once, row_group_size=3_000_000)
    holds(tmp_path / "data", file)


OPENING = {
    "open",
    "read_text",
    "read_bytes",
    "read_csv",
    "read_json",
    "read_parquet",
    "read_schema",
    "ParquetFile",
    "load",
}
UNPACKING = {"bz2", "csv", "gzip", "io", "lzma", "pyarrow.parquet", "zipfile", "zlib"}
IMPORTERS = sorted((Path(slim_core.__file__).parent / "data" / "importers").glob("*.py"))


@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda path: path.stem)
def test_an_importer_opens_no_file_itself(importer: Path) -> None:
    nodes = list(ast.walk(ast.parse(importer.read_text())))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert not OPENING & (attributes | (names & {"open"})) and not UNPACKING & imported
