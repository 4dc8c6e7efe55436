"""ISIC skin lesions: benign or malignant, beside artefacts that are no part of the lesion (patches, hair, ruler, ...).

Two set-ups: a table with a column of colour patches (no malignant image has one: that group is empty), and the tables
of artefact annotations with ``image``, a label and ``hair`` and its like (Bissoto et al. 2020).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from slim_core.data.draft import Draft, need_columns, texts
from slim_core.data.files.metadata.tables import csv_files, header_of, is_parquet, read_table
from slim_core.data.importers.folders import IMAGE_SUFFIXES, found_in, suffix_of
from slim_core.data.report import FormatRefusedError

ARTEFACTS = ("patches", "patch", "hair", "dark_corner", "gel_border", "gel_bubble", "ruler", "ink")
IDS = ("image", "isic_id", "image_id", "image_name")
LABELS = ("label", "benign_malignant", "target", "malignant")
BENIGN = {"0": "0", "0.0": "0", "benign": "0", "1": "1", "1.0": "1", "malignant": "1"}
FOLDERS = ("images", "image", "data", "ISIC-images")


class Isic:
    """Any artefact as the spurious attribute: the first of ARTEFACTS that is there, or the option ``attribute``."""

    name = "isic"
    about = "a CSV with image (or isic_id), label and artefacts: patches, hair, ruler, ...; option attribute=hair"
    options: tuple[str, ...] = ("attribute", "file")

    def matches(self, path: Path) -> str | None:
        """A table that names images by id and one of the artefacts."""
        found = _find(path)
        return f"{found.name} has the column {_artefacts(header_of(found))[0]} beside the image's id" if found else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        source = path / Path(options["file"]).name if options.get("file") else _find(path)
        if source is None:
            raise FormatRefusedError(
                "no-metadata", f"{path} holds no table of ISIC: name it with the option file=NAME."
            )
        frame = read_table(source)
        attribute = options.get("attribute") or next(iter(_artefacts(frame.columns)), "hair")
        label = next((name for name in LABELS if name in frame), LABELS[0])
        image = next((name for name in IDS if name in frame), IDS[0])
        need_columns(frame, (image, label, attribute), source.name, "choose the artefact with attribute=COLUMN")
        return Draft(
            source=source.name,
            metadata=(source,),
            root=source.parent,
            paths=_paths(texts(frame[image]), source.parent),
            splits=frame["split"] if "split" in frame else None,
            labels=texts(frame[label]).str.lower().map(lambda word: BENIGN.get(word, word)),
            attributes=texts(frame[attribute]).str.replace(r"\.0$", "", regex=True),
            label_names=("benign", "malignant"),
            attribute_name=attribute,
            attribute_names=(f"no {attribute}", attribute),
            lines=not is_parquet(source),
        )


def _artefacts(header: Iterable[str]) -> list[str]:
    there = set(header)
    return [name for name in ARTEFACTS if name in there]


def _find(path: Path) -> Path | None:
    for table in csv_files(path):
        header = set(header_of(table))
        if _artefacts(header) and header & set(IDS) and header & set(LABELS):
            return table
    return None


def _paths(ids: pd.Series, folder: Path) -> pd.Series:
    """Where the images lie: in ``images/``, another folder, or beside the table; with the suffix of the first one."""
    inside = next((name for name in FOLDERS if (folder / name).is_dir()), "")
    first = str(ids.iloc[0])
    suffix = "" if first.lower().endswith(IMAGE_SUFFIXES) else suffix_of(folder / inside, first) or ".jpg"
    inside = inside or found_in(folder, first + suffix)
    return ids.map(lambda name: f"{inside}/{name}{suffix}" if inside else f"{name}{suffix}")
