"""An ImageFolder of Hugging Face: images in folders of splits, and a table of metadata there that names them.

``train/metadata.jsonl`` (or .csv, .parquet) with a column ``file_name``, beside the images or above them. The class is
a column of that table, else the folder that the image lies in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from slim_core.data.draft import Draft, need_columns, texts
from slim_core.data.files.tables import read_head, read_table
from slim_core.data.importers.csv_table import COMMON_NAMES, alike, require_one
from slim_core.data.importers.folders import split_folders
from slim_core.data.importers.huggingface import split_of
from slim_core.data.report import FormatRefusedError

TABLES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
FILE, MASK = "file_name", "mask_file_name"


class HuggingFaceImages:
    """Splits are folders, and the table of each names its images from where it lies itself."""

    name = "huggingface-images"
    about = "images in folders of splits with metadata.jsonl or metadata.csv there, whose column file_name names them"
    options: tuple[str, ...] = ("label", "attribute")

    def matches(self, path: Path) -> str | None:
        """A table with file_name in the folder of a split; or above them, where its names begin with theirs."""
        found = _tables(path)
        return f"{found[0].relative_to(path)} names images by {FILE}" if found else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        tables = _tables(path)
        if not tables:
            raise FormatRefusedError(
                "no-metadata", f"{path} holds no {', '.join(TABLES)} with a column {FILE}: name another format."
            )
        rows = pd.concat([_rows(table, path) for table in tables])
        rows = rows if len(tables) == 1 else rows.reset_index(drop=True)
        source = str(tables[0].relative_to(path)) if len(tables) == 1 else path.name
        label, attribute = (options.get(role) or _common(rows, role, source) for role in ("label", "attribute"))
        need_columns(rows, [name for name in (label, attribute) if name], source, "name it with label= or attribute=")
        folders = rows["path"].map(lambda name: Path(name).parent.name)
        if not label and set(map(split_of, map(Path, set(folders)))) != {""}:
            raise FormatRefusedError(
                "missing-column", f"{source} has no column for the label among {', '.join(_columns(rows))}: name it "
                "with label=COLUMN, or put the images into a folder for each class.",
            )  # fmt: skip
        return Draft(
            source=source,
            metadata=tuple(tables),
            root=path,
            paths=rows["path"],
            splits=rows["split"] if rows["split"].ne("").all() else None,
            labels=rows[label] if label else folders,
            attributes=rows[attribute] if attribute else None,
            masks=rows["mask"],
            attribute_name=attribute or None,
            strict_integers=False,
            lines=len(tables) == 1 and tables[0].suffix != ".parquet",
            notes=()
            if label
            else (f"{source} has no column for the label: the folders of the images are the classes.",),
        )


def _tables(path: Path) -> list[Path]:
    """Those of the splits, else the one above them."""
    splits = split_folders(path)
    found = [one for split in splits if (one := _table(path / split)) is not None]
    if found or (above := _table(path)) is None:
        return found
    return [above] if above.suffix == ".jsonl" or splits else []


def _table(folder: Path) -> Path | None:
    return next((folder / name for name in TABLES if (folder / name).is_file() and _has_names(folder / name)), None)


def _has_names(table: Path) -> bool:
    try:
        return FILE in read_head(table, 1)
    except FormatRefusedError:
        return True  # ``read`` says what is wrong with it


def _rows(table: Path, root: Path) -> pd.DataFrame:
    """The cells of a table, with path, split and mask as they are seen from the root of the data set."""
    frame = read_table(table)
    need_columns(frame, [FILE], str(table.relative_to(root)))
    folder = table.parent.relative_to(root)
    paths = _seen_from_above(frame[FILE], folder)
    masks = _seen_from_above(frame[MASK], folder) if MASK in frame else pd.Series("", frame.index)
    splits = paths.map(lambda name: split_of(Path(name).parent / "_"))
    own = frame["split"] if "split" in frame else splits
    return frame.assign(path=paths, split=own, mask=masks)


def _seen_from_above(names: pd.Series, folder: Path) -> pd.Series:
    names = texts(names).str.replace("\\", "/")
    return names if folder == Path() else names.where(names == "", str(folder) + "/" + names)


def _common(rows: pd.DataFrame, role: str, source: str) -> str:
    known = alike(_columns(rows))
    found = next((known[name] for name in COMMON_NAMES[role] if name in known), [""])
    require_one(found, role, source)
    return found[0]


def _columns(rows: pd.DataFrame) -> list[str]:
    return [str(name) for name in rows if name not in ("path", "split", "mask", FILE, MASK)]
