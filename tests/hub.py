"""Small data sets in the files of the Hugging Face Hub."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    "place": {"names": ["land", "sea"], "_type": "ClassLabel"},
}


def content(seed: int, form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    Image.fromarray(noise).save(buffer, form)
    return buffer.getvalue()


def pets(start: int, n: int, **columns: list) -> pa.Table:
    """As push_to_hub writes it: the images and their names, and numbers whose names are in the file's metadata."""
    images = [{"bytes": content(i), "path": f"{i}.jpg"} for i in range(start, start + n)]
    facts = {"label": [0, 1] * (n // 2), "place": [i // 2 % 2 for i in range(n)]} | columns
    table = pa.table({"image": pa.array(images, IMAGE), **facts})
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})


def write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=5)


def hub(root: Path) -> Path:
    """A repository of the Hub with two files of train, one of validation and one of test."""
    names = ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001", "test-00000-of-00001")
    for number, name in enumerate(names):
        write(root / "data" / f"{name}.parquet", pets(100 * number, 8))
    (root / "README.md").write_text("---\ndataset_info: {}\n---\n# Pets\n")
    return root
