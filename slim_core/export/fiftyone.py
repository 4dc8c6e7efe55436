"""Images with labels, predictions and heat maps as a data set of FiftyOne, written without it.

The folder is one of FiftyOne's own format (fiftyone.types.FiftyOneDataset), as version 1.0 writes it; later versions
bring it to theirs when they open it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from slim_core.data.images.codec import ImageTransform, image_size
from slim_core.evaluation.predictions import predictions, predictions_of_pass
from slim_core.export.forms import Form, Source, grey, heat_maps, transform_of
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.store.runs.rows import WITH_MAPS

if TYPE_CHECKING:
    import pandas as pd

VERSION = "1.0.0"  # of the format
HEAT_MAPS = "fields/attention"  # where FiftyOne looks for the files of a field
LONGEST = 448  # pixels of a side of a heat map, which FiftyOne stretches over the image
NUMBERS = ("loss", "entropy", ATTENTION_PRECISION, AIOU)


def write(source: Source, folder: Path) -> None:
    """metadata.json, samples.json, and a grey image under fields/attention for each map."""
    records: dict[int, Any] = {record["row"]: record for record in _records(source).to_dict("records")}
    (folder / HEAT_MAPS).mkdir(parents=True)
    transform = transform_of(source)
    with (folder / "samples.json").open("w", encoding="utf-8") as file:
        file.write('{"samples": [')
        for number, (row, heat) in enumerate(heat_maps(source, transform)):
            image, name = source.image(row), f"{HEAT_MAPS}/{row}.png"
            over_image(heat, transform, image_size(image)).save(folder / name)
            file.write(("," if number else "") + "\n" + json.dumps(_sample(source, records[row], image, name)))
        file.write("\n]}\n")
    (folder / "metadata.json").write_text(json.dumps(_metadata(source), indent=1), encoding="utf-8")


def _records(source: Source) -> pd.DataFrame:
    read = predictions if source.kind == "evaluate" else predictions_of_pass
    return read(source.store, source.run)


def over_image(heat: NDArray[np.float32], transform: ImageTransform, size: tuple[int, int]) -> Image.Image:
    """A map of the part that the model sees, in its place on the whole image.

    Args:
        heat: (n, n) in 0..1.
        transform: of the model.
        size: (width, height) of the image.
    """
    frame, scale = transform.frame(size), LONGEST / max(size)
    x0, y0, x1, y1 = (len(heat) * side for side in frame.in_seen)
    left, top, right, bottom = (round(scale * side) for side in frame.on_image)
    shape = max(1, right - left), max(1, bottom - top)
    seen = grey(heat).resize(shape, Image.Resampling.BILINEAR, box=(x0, y0, x1, y1))
    whole = Image.new("L", (max(1, round(scale * size[0])), max(1, round(scale * size[1]))))
    whole.paste(seen, (left, top))
    return whole


def _sample(source: Source, record: Mapping[str, Any], image: Path, heat_map: str) -> dict[str, Any]:
    row = int(record["row"])
    found = {
        "_id": _id(source, row, "sample"),
        "filepath": str(image),
        "tags": [str(record["split"])],
        "metadata": None,
        "_media_type": "image",
        "_rand": int(_id(source, row, "rand")["$oid"], 16) / 16**24,
        "ground_truth": _label(source, row, "ground_truth", record["label_name"]),
        "prediction": _label(source, row, "prediction", record["prediction_name"], float(record["confidence"])),
        "attention": {
            "_id": _id(source, row, "attention"),
            "_cls": "Heatmap",
            "tags": [],
            "map_path": heat_map,
            "range": [0.0, 255.0],
        },
        "row": row,
        "group": str(record["group_name"]),
        "correct": bool(record["correct"]),
    }
    numbers = {name: record.get(name) for name in NUMBERS}
    return found | {name: None if value is None or value != value else float(value) for name, value in numbers.items()}


def _label(source: Source, row: int, field: str, name: object, confidence: float | None = None) -> dict[str, Any]:
    known = {} if confidence is None else {"confidence": confidence}
    return {"_id": _id(source, row, field), "_cls": "Classification", "tags": [], "label": str(name)} | known


def _id(source: Source, row: int, field: str) -> dict[str, str]:
    """The same for the same image, so that two exports of a run are the same."""
    return {"$oid": hashlib.sha256(f"{source.id} {row} {field}".encode()).hexdigest()[:24]}


def _metadata(source: Source) -> dict[str, Any]:
    """The data set's document; FiftyOne gives it the name that it is opened under."""
    return {
        "_id": _id(source, 0, "dataset"),
        "name": source.id,
        "slug": source.id,
        "version": VERSION,
        "persistent": False,
        "media_type": "image",
        "tags": [],
        "info": {"run": source.id, "data": source.data},
        "classes": {},
        "default_classes": list(source.table.label_names),
        "sample_fields": list(_fields()),
        "frame_fields": [],
    }


def _fields() -> Iterator[dict[str, Any]]:
    yield from (_field("id", "ObjectIdField", db_field="_id"), _field("filepath", "StringField"))
    yield _field("tags", "ListField", subfield="StringField")
    yield _document("metadata", "metadata.ImageMetadata")
    yield from (_field("_media_type", "StringField"), _field("_rand", "FloatField"))
    yield from (_field("_dataset_id", "ObjectIdField"), _field("created_at", "DateTimeField", read_only=True))
    yield _field("last_modified_at", "DateTimeField", read_only=True)
    of_label = (_field("id", "ObjectIdField", db_field="_id"), _field("tags", "ListField", subfield="StringField"))
    named = (_field("label", "StringField"), _field("confidence", "FloatField"))
    for name in ("ground_truth", "prediction"):
        yield _document(name, "labels.Classification", *of_label, *named)
    drawn = (_field("map_path", "StringField"), _field("range", "HeatmapRangeField", subfield="FloatField"))
    yield _document("attention", "labels.Heatmap", *of_label, _field("map", "ArrayField"), *drawn)
    yield from (_field("row", "IntField"), _field("group", "StringField"), _field("correct", "BooleanField"))
    yield from (_field(name, "FloatField") for name in NUMBERS)


def _field(name: str, kind: str, *, subfield: str = "", db_field: str = "", read_only: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "ftype": f"fiftyone.core.fields.{kind}",
        "subfield": f"fiftyone.core.fields.{subfield}" if subfield else None,
        "embedded_doc_type": None,
        "fields": [],
        "db_field": db_field or name,
        "description": None,
        "info": None,
        "read_only": read_only,
    }


def _document(name: str, kind: str, *fields: dict[str, Any]) -> dict[str, Any]:
    found = _field(name, "EmbeddedDocumentField")
    return found | {"embedded_doc_type": f"fiftyone.core.{kind}", "fields": list(fields)}


FORM = Form(
    name="fiftyone",
    of=WITH_MAPS,
    title="FiftyOne dataset with heat maps",
    about="Labels, predictions, groups, scores and heat map of each image; images are referenced.",
    opens_in="fiftyone.Dataset.from_dir(FOLDER, dataset_type=fiftyone.types.FiftyOneDataset)",
    write=write,
    downloads=False,
)
