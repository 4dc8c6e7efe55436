"""A curated subset as a data set of Hugging Face, with its images inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slim_core.data.table import UNKNOWN
from slim_core.export.form import Form, Source
from slim_core.export.image_list import attribute_column
from slim_core.store.results import SubsetResult


def write(source: Source, folder: Path) -> None:
    """What save_to_disk leaves: image, label, row, and the attribute where the data has one; repeats are repeated."""
    import datasets

    datasets.disable_progress_bars()  # ours is shown
    rows, table = SubsetResult(source.folder).rows(), source.table
    columns: dict[str, Any] = {
        "image": [str(source.image(int(row))) for row in rows],
        "label": table.labels[rows],
        "row": rows,
    }
    features = {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=list(table.label_names)),
        "row": datasets.Value("int64"),
    }
    if table.has_attributes:
        known = table.attributes[rows]
        columns[attribute_column(table)] = [None if one == UNKNOWN else int(one) for one in known]
        features[attribute_column(table)] = datasets.ClassLabel(names=list(table.attribute_names))
    made = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    made.save_to_disk(str(folder))


FORM = Form(
    name="subset-huggingface",
    of=("curate",),
    title="Hugging Face dataset",
    about="Columns image, label, row, and the attribute where there is one; the images lie inside its Arrow files.",
    opens_in="datasets.load_from_disk, slim import",
    write=write,
    needs="datasets",
    downloads=False,
)
