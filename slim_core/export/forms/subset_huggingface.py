"""A curated subset as a data set of Hugging Face, with its images inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slim_core.data.images.codec import is_of_more_bits, open_image
from slim_core.data.table import UNKNOWN, ImageTable
from slim_core.export.form import Form, Source
from slim_core.export.image_list import attribute_column
from slim_core.store.results import SubsetResult

if TYPE_CHECKING:
    from datasets import Dataset


def write(source: Source, folder: Path) -> None:
    """What save_to_disk leaves: image, label, row, and the attribute where the data has one; repeats are repeated.

    Images of 16 or 32 bits are PNGs of 8 there, as everything here reads them: ``convert("RGB")``, by which models of
    Hugging Face read an image, makes them white.
    """
    rows = SubsetResult(source.folder).rows()
    with TemporaryDirectory(dir=folder) as copies:
        paths = {row: _readable(source.image(row), Path(copies, f"{row}.png")) for row in set(rows.tolist())}
        _made(source.table, rows, [paths[row] for row in rows.tolist()]).save_to_disk(str(folder))


def _readable(image: Path, copy: Path) -> str:
    """Where the image lies that is taken in: the file itself, or of more bits the copy that is written."""
    if not is_of_more_bits(image):
        return str(image)
    open_image(image).convert("L").save(copy)
    return str(copy)


def _made(table: ImageTable, rows: NDArray[np.int64], images: Sequence[str]) -> Dataset:
    import datasets

    datasets.disable_progress_bars()  # ours is shown
    columns: dict[str, Any] = {"image": images, "label": table.labels[rows], "row": rows}
    features = {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=list(table.label_names)),
        "row": datasets.Value("int64"),
    }
    if table.has_attributes:
        known = table.attributes[rows]
        columns[attribute_column(table)] = [None if one == UNKNOWN else int(one) for one in known]
        features[attribute_column(table)] = datasets.ClassLabel(names=list(table.attribute_names))
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


FORM = Form(
    name="subset-huggingface",
    of=("curate",),
    title="Hugging Face dataset",
    about="Columns image, label, row, and the attribute where there is one; the images lie inside its Arrow files, "
    "those of 16 or 32 bits in 8: most models there would read them as white.",
    opens_in="datasets.load_from_disk, slim import",
    write=write,
    needs="datasets",
    downloads=False,
)
