"""NICO: a CSV with label_name and context_name, or files named ``<label>_<context>_<index>.jpg``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from slim_core.data.draft import Draft, need_columns
from slim_core.data.files.metadata.tables import header_of, read_table
from slim_core.data.importers.csv_table import tables_in
from slim_core.data.importers.folders import image_names, left_out, list_images, names_of, numbered
from slim_core.data.importers.waterbirds import folder_of
from slim_core.data.report import FormatRefusedError

METADATA = "metadata.csv"
NEEDED = ("img_filename", "y", "label_name", "split", "context", "context_name")
SHAPE = "<label>_<context>_<index>.jpg"
_NAMED = re.compile(r"^(?P<label>[^_/]+)_(?P<context>[^/]+)_\d+\.\w+$")  # "dog_on grass_0012.jpg"


class Nico:
    """Labels in contexts."""

    name = "nico"
    about = "metadata.csv with y, label_name, context, context_name, or files <label>_<context>_<index>.jpg (NICO)"
    options: tuple[str, ...] = ()

    def matches(self, path: Path) -> str | None:
        """The columns of the CSV, or files all named so, where nothing else says what they show."""
        folder = folder_of(path, METADATA)
        if {"label_name", "context_name"} <= set(header_of(folder / METADATA)):
            return f"{METADATA} has the columns label_name and context_name"
        named = [] if path.is_file() or _is_described(folder) else image_names(folder)
        if len(named) > 1 and all(_NAMED.match(name) for name in named):
            return f"its files are named {SHAPE}"
        return None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:  # noqa: ARG002  # this form has no options
        """The raw table."""
        folder = folder_of(path, METADATA)
        return _from_table(folder) if path.is_file() or (folder / METADATA).is_file() else _from_names(folder)


def _is_described(folder: Path) -> bool:
    """Whether a table or a JSON file lies beside the images: names such as IMG_2023_0012.jpg are common."""
    return any(table.suffix != ".txt" for table in tables_in(folder)) or any(folder.glob("*.json"))


def _from_table(folder: Path) -> Draft:
    frame = read_table(folder / METADATA)
    need_columns(frame, NEEDED, METADATA)
    return Draft(
        source=METADATA,
        metadata=(folder / METADATA,),
        root=folder,
        paths=frame["img_filename"].str.strip(),
        splits=frame["split"],
        labels=frame["label_name"].str.strip(),
        attributes=frame["context_name"].str.strip(),
        attribute_name="context",
        strict_integers=False,
        lines=True,
    )


def _from_names(folder: Path) -> Draft:
    listed = list_images(folder)
    rows = listed[listed["path"].str.match(_NAMED)].reset_index(drop=True)
    if not len(rows):
        raise FormatRefusedError("no-images", f"{folder} holds no images named {SHAPE}: name another format.")
    parts = rows["path"].str.extract(_NAMED)
    return Draft(
        source=folder.name,
        root=folder,
        paths=rows["path"],
        splits=None,
        labels=numbered(parts["label"]),
        attributes=numbered(parts["context"]),
        label_names=names_of(parts["label"]),
        attribute_name="context",
        attribute_names=names_of(parts["context"]),
        strict_integers=False,
        notes=left_out(len(listed) - len(rows), SHAPE),
    )
