"""What a form of export is, what it reads, and the list of its images. Light: it loads its libraries as it writes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from slim_core.data.images.codec import ImageMissingError
from slim_core.data.table import UNKNOWN
from slim_core.errors import SpecRefusedError
from slim_core.formatting import to_csv
from slim_core.models.runtime import Progress, ignore_progress

if TYPE_CHECKING:
    from pathlib import Path

    from slim_core.data.table import ImageTable
    from slim_core.store import Run, Store


CAMPAIGN = "campaign"  # beside the kinds of runs
RECORD = "export.json"  # the file beside those of the form: what they are of
IMAGES = "images.csv"  # beside arrays


@dataclass(frozen=True)
class Source:
    """A finished run, or a campaign: where a form takes its content from."""

    store: Store
    kind: str  # of the run, or CAMPAIGN
    id: str
    dataset_id: str
    on_progress: Progress = ignore_progress

    @property
    def is_run(self) -> bool:
        """False of a campaign."""
        return self.kind != CAMPAIGN

    @cached_property
    def table(self) -> ImageTable:
        """The images it is about."""
        return self.store.datasets.table(self.dataset_id)

    @cached_property
    def data(self) -> str:
        """What the data set is called now: people rename them."""
        return self.store.datasets.fetch(self.dataset_id).name

    @cached_property
    def run(self) -> Run:
        """Its row. A campaign has none: NotFoundError."""
        return self.store.runs.fetch(self.id)

    @cached_property
    def folder(self) -> Path:
        """What the run has left."""
        return self.store.artifacts.folder(self.id)

    def image(self, row: int) -> Path:
        """The file of an image, links followed.

        Raises:
            PathRefusedError: it lies outside the folders that images may be read from.
            ImageMissingError: it is not there.
        """
        path = self.store.settings.allowed(self.table.image_path(row))
        if not path.is_file():
            raise ImageMissingError(f"{path} is missing: put the file back, or remove its row from the data set.")
        return path


def _nothing(_: Source) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Form:
    """One form of export. It is one entry in the registry."""

    name: str  # as it is typed: what is exported, then how
    of: tuple[str, ...]  # kinds of runs that have it; CAMPAIGN
    title: str  # as a page names it
    about: str  # one sentence: the files, and what is in them
    opens_in: str
    write: Callable[[Source, Path], None]  # into an existing, empty folder
    recorded: Callable[[Source], Mapping[str, Any]] = _nothing  # JSON that export.json has beside what it always has
    needs: str = ""  # package that may be missing; the extra of its name brings it
    downloads: bool = True  # False: only by command, for it links to files here, has one for each image, or loads torch

    @property
    def what(self) -> str:
        """What is exported, such as "subset"."""
        return self.name.partition("-")[0]

    def require_package(self) -> None:
        """Refuse before any work is done.

        Raises:
            SpecRefusedError: the package that writes this form is not installed.
        """
        if self.needs and importlib.util.find_spec(self.needs) is None:
            raise SpecRefusedError(
                f"The form {self.name} is written by the package {self.needs}, which is not installed: "
                f"pip install 'slim-studio[{self.needs}]'."
            )


def image_list(table: ImageTable, rows: np.ndarray) -> pd.DataFrame:
    """(n,) rows -> row, path (absolute), split, label, label_name, and, where the data has one, the attribute."""
    labels = table.labels[rows]
    found = pd.DataFrame(
        {
            "row": rows,
            "path": [str(table.image_path(int(row))) for row in rows],
            "split": table.splits[rows],
            "label": labels,
            "label_name": np.asarray(table.label_names)[labels],
        }
    )
    if table.has_attributes:
        names = np.asarray([*table.attribute_names, ""])  # UNKNOWN is -1, the last
        found[attribute_column(table)] = names[np.where(table.attributes[rows] == UNKNOWN, -1, table.attributes[rows])]
    return found


def attribute_column(table: ImageTable) -> str:
    """Name of the column of the attribute; never one of the others."""
    name = table.attribute_name or "attribute"
    return f"attribute_{name}" if name in ("row", "path", "split", "label", "label_name", "image") else name


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """As UTF-8, safe for spreadsheets."""
    path.write_text(to_csv(frame), encoding="utf-8")


def write_image_list(table: ImageTable, rows: np.ndarray, folder: Path) -> None:
    """images.csv, in the order of the rows."""
    write_csv(image_list(table, rows), folder / IMAGES)
