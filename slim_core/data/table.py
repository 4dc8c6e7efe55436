"""The one form of a data set: a table with one row an image. Importers write it, every step reads it.

A row's position is its identity: maps, features, scores and answers are arrays indexed by it. Two versions of a data
set are compared by the paths of their images.

Whether the files are still those that were imported is recorded at the import and checked before each run. Checked are
the metadata files and a seeded sample of the images: whether each is there, its size and its time of change; only where
these differ is its content hashed. That costs one stat a file (128 images and the metadata, some milliseconds on a
local disk), however large the data set is. Where there is no metadata, the names in each folder are recorded too, so
that images that came or went are noticed.

Caught: a folder or metadata that has moved, metadata whose content has changed, and missing or changed images where
they are more than a few per cent (with one in fifty, 93 % of the time). Not caught here: single images. One that is
missing or broken ends the run with its path when it is read; one that was replaced by another sound image is not
noticed, nor are masks. The fingerprint by which runs are distinguished covers the table, not the pixels: after a new
import of changed images at the same paths, run again what was run before.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from PIL import Image

from slim_core.data.images.codec import ImageTransform, box_mask, grey_mask, image_size
from slim_core.data.outlines import Drawing
from slim_core.errors import DataRefusedError, SpecRefusedError
from slim_core.formatting import counted
from slim_core.result_files import sha256_of

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
UNKNOWN = -1  # attribute of an image whose attribute is not known

BOX_COLUMNS = ("box_x", "box_y", "box_width", "box_height")
COLUMNS = ("path", "split", "label", "attribute", "mask", *BOX_COLUMNS)
SMALLEST_SPACE = 10  # images below which neighbours mean nothing


@dataclass(frozen=True, eq=False)
class ImageTable:
    """N images with their splits, labels and, where known, attributes, masks and boxes.

    ``frame`` has exactly COLUMNS: path and mask are relative to ``root`` (absolute where they lie elsewhere; mask ""
    = none), split is one of SPLITS, label in 0..C-1, attribute in 0..A-1 or UNKNOWN, the box in pixels of the file
    from its top left corner (NaN = none). ``drawn``: row -> what a person drew on it, which goes before its mask and
    its box (docs/decisions/0006); no part of the table's content, nor of its fingerprint.
    """

    name: str
    root: Path
    frame: pd.DataFrame
    label_names: tuple[str, ...]
    attribute_name: str | None = None
    attribute_names: tuple[str, ...] = ()
    drawn: Mapping[int, Drawing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if tuple(self.frame.columns) != COLUMNS:
            raise DataRefusedError(f"{self.name}: a table has the columns {COLUMNS}, not {tuple(self.frame.columns)}.")
        if len(self.frame) and not self.frame["label"].between(0, len(self.label_names) - 1).all():
            raise DataRefusedError(f"{self.name}: labels must lie in 0..{len(self.label_names) - 1}.")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.label_names)

    @property
    def n_attributes(self) -> int:
        """A; 0 where the data set has no attribute."""
        return len(self.attribute_names)

    @cached_property
    def labels(self) -> np.ndarray:
        """(N,) int64 in 0..C-1."""
        return self.frame["label"].to_numpy(np.int64)

    @cached_property
    def attributes(self) -> np.ndarray:
        """(N,) int64 in 0..A-1, UNKNOWN where not given."""
        return self.frame["attribute"].to_numpy(np.int64)

    @cached_property
    def splits(self) -> np.ndarray:
        """(N,) of "train", "val" or "test"."""
        return self.frame["split"].to_numpy(str)

    @property
    def has_attributes(self) -> bool:
        """True where at least one image has an attribute."""
        return self.n_attributes > 0

    @cached_property
    def has_mask(self) -> np.ndarray:
        """(N,) bool: something drawn, a mask file or a box is known."""
        known = ((self.frame["mask"] != "") | self.frame["box_x"].notna()).to_numpy(bool, copy=True)
        known[list(self.drawn)] = True
        return known

    def with_drawn(self, drawn: Mapping[int, Drawing]) -> ImageTable:
        """The same images, with what people drew on them."""
        return replace(self, drawn=drawn)

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split, ascending, int64."""
        return np.flatnonzero(self.splits == split)

    def classes_without(self, rows: np.ndarray) -> list[str]:
        """Names of the classes of which there is no image among the rows."""
        present = set(self.labels[rows].tolist())
        return [name for label, name in enumerate(self.label_names) if label not in present]

    def image_path(self, row: int) -> Path:
        """Where the image of a row lies."""
        return self.root / str(self._paths[row])

    @cached_property
    def _paths(self) -> Any:
        """The column itself. A pass asks for the path of each image; looking its column up takes five times as long."""
        return self.frame["path"].array

    @property
    def files(self) -> list[str]:
        """The paths of all images and masks."""
        return [os.path.join(self.root, name) for name in sorted({*self.frame["path"], *self.frame["mask"]} - {""})]

    def mask_path(self, row: int) -> Path | None:
        """Where the mask of a row lies, if it has one."""
        name = str(self.frame["mask"].iat[row])
        return self.root / name if name else None

    def box(self, row: int) -> tuple[float, float, float, float] | None:
        """(x, y, width, height) of a row's object in pixels of the file, if known."""
        values = self._boxes[row]
        return None if np.isnan(values).any() else (values[0], values[1], values[2], values[3])

    @cached_property
    def _boxes(self) -> np.ndarray:
        """(N, 4) float64, NaN where not known. A pass asks for each box by itself; a row of a frame takes 0.1 ms."""
        return self.frame[list(BOX_COLUMNS)].to_numpy(np.float64)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits of the table's content (not of the pixels): what a run's inputs are compared by."""
        digest = hashlib.sha256(json.dumps([self.label_names, self.attribute_names, str(self.root)]).encode())
        digest.update(pd.util.hash_pandas_object(self.frame, index=False).to_numpy().tobytes())
        return digest.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write table.parquet and table.json into an existing folder."""
        self.frame.to_parquet(folder / "table.parquet", index=False)
        about = {
            "name": self.name,
            "root": str(self.root),
            "label_names": self.label_names,
            "attribute_name": self.attribute_name,
            "attribute_names": self.attribute_names,
        }
        (folder / "table.json").write_text(json.dumps(about, indent=2))

    @classmethod
    def load(cls, folder: Path) -> ImageTable:
        """Read what ``save`` wrote."""
        about = json.loads((folder / "table.json").read_text())
        return cls(
            name=about["name"],
            root=Path(about["root"]),
            frame=pd.read_parquet(folder / "table.parquet"),
            label_names=tuple(about["label_names"]),
            attribute_name=about["attribute_name"],
            attribute_names=tuple(about["attribute_names"]),
        )


def load_mask(table: ImageTable, row: int, transform: ImageTransform) -> np.ndarray | None:
    """(size, size) float32 in {0, 1}: the object as drawn, its mask or its box, carried through the transform.

    None where nothing is known of it. What was drawn goes before the mask, and that before the box. A grey mask counts
    from one half up; a mask of another scale than its image is brought to the image's.

    Raises:
        ImageRefusedError: the mask or the image cannot be read.
    """
    drawn, mask_path, box = table.drawn.get(row), table.mask_path(row), table.box(row)
    if drawn is None and mask_path is None and box is None:
        return None
    size = image_size(table.image_path(row))
    if drawn is not None:
        inside = drawn.mask()
    elif mask_path is not None:
        inside = grey_mask(mask_path)
    else:
        assert box is not None
        inside = box_mask(box, *size)
    mask = Image.fromarray(inside.astype(np.uint8) * 255)
    if mask.size != size:
        mask = mask.resize(size, Image.Resampling.NEAREST)
    return (np.asarray(transform.seen(mask)) >= 128).astype(np.float32)


def is_too_small(table: ImageTable, split: str) -> bool:
    """Whether a split has too few images for a space."""
    return len(table.rows(split)) < SMALLEST_SPACE


def require_for_space(table: ImageTable, split: str) -> None:
    """Refuse a space of too few images.

    Raises:
        SpecRefusedError: the split has fewer than SMALLEST_SPACE images.
    """
    if is_too_small(table, split):
        images = counted(len(table.rows(split)), f"{split} image")
        raise SpecRefusedError(f"{table.name} has {images}: an attention space needs at least {SMALLEST_SPACE}.")


# kind of change -> how many of it, in words
CHANGE_WORDS = {
    "added": "added",
    "removed": "removed",
    "relabelled": "relabelled",
    "split": "in another split",
    "attribute": "with another attribute",
    "mask": "with another mask or box",
}
_FACTS = {"label": "relabelled", "split": "split", "attribute": "attribute", "mask": "mask"}  # column -> kind


def changes(old: ImageTable, new: ImageTable) -> pd.DataFrame:
    """One row (path, change, before, after) for each image and thing that changed.

    Classes and attributes are compared by their names. Images are the same where their paths within the data set
    are; of a path that occurs more than once, the first row counts. What is in the files is not compared.
    """
    both = _facts(old).add_suffix("_before").join(_facts(new).add_suffix("_after"), how="outer", sort=True)
    parts = [
        _only(both, "added", both["label_before"].isna()),
        _only(both, "removed", both["label_after"].isna()),
        *(_other(both.dropna(), kind, fact) for fact, kind in _FACTS.items()),
    ]
    return pd.concat(parts, ignore_index=True)


def changes_in_words(changes: pd.DataFrame) -> str:
    """ "3 images added, 1 removed", or that there is no difference."""
    counts = changes["change"].value_counts()
    said = [f"{counts[kind]:,} {words}" for kind, words in CHANGE_WORDS.items() if kind in counts]
    if not said:
        return "the same images, labels, splits and attributes"
    number, _, rest = said[0].partition(" ")
    return ", ".join([f"{number} image{'s' if number != '1' else ''} {rest}", *said[1:]])


def _facts(table: ImageTable) -> pd.DataFrame:
    """Path -> label, split, attribute and mask in words; "" where there is none."""
    labels = pd.Series(table.label_names)
    attributes = pd.Series({UNKNOWN: "", **dict(enumerate(table.attribute_names))})
    facts = {
        "label": labels.reindex(table.labels).to_numpy(),
        "split": table.splits,
        "attribute": attributes.reindex(table.attributes).to_numpy(),
        "mask": _masks(table),
    }
    found = pd.DataFrame(facts, index=pd.Index(table.frame["path"], name="path"), dtype=object)
    return found[~found.index.duplicated()]


def _masks(table: ImageTable) -> np.ndarray:
    """(N,) of the mask's path, or the box as "box x y width height"."""
    masks = table.frame["mask"].to_numpy(object).copy()
    boxes = table.frame[list(BOX_COLUMNS)].to_numpy(np.float64)
    rows = np.flatnonzero(~np.isnan(boxes).any(axis=1))
    masks[rows] = [f"box {x:g} {y:g} {width:g} {height:g}" for x, y, width, height in boxes[rows]]
    return masks


def _only(both: pd.DataFrame, kind: str, rows: pd.Series) -> pd.DataFrame:
    labels = both[rows]
    cells = {"before": labels["label_before"].fillna(""), "after": labels["label_after"].fillna("")}
    return pd.DataFrame({"path": labels.index, "change": kind, **{k: v.to_numpy(object) for k, v in cells.items()}})


def _other(both: pd.DataFrame, kind: str, fact: str) -> pd.DataFrame:
    found = both[both[f"{fact}_before"] != both[f"{fact}_after"]]
    cells = {"before": found[f"{fact}_before"].to_numpy(object), "after": found[f"{fact}_after"].to_numpy(object)}
    return pd.DataFrame({"path": found.index, "change": kind, **cells})


SAMPLE = 128  # images
SAMPLE_SEED = 0
REMEDY = "import the data set again"
MOST_FOLDERS = 2_000


def file_records(table: ImageTable, metadata: Sequence[str | Path]) -> dict[str, Any]:
    """What ``check_unchanged`` compares with, as plain JSON: path, size, time and content of the files as of now."""
    rows = np.arange(len(table))
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(SAMPLE_SEED).choice(len(rows), SAMPLE, replace=False))
    images = [table.image_path(int(row)) for row in rows]
    return {
        "metadata": [_record(Path(path)) for path in metadata if Path(path).is_file()],
        "images": [_record(path) for path in images if path.is_file()],
        "folders": [] if metadata else [_listing(path) for path in _folders(table) if path.is_dir()],
    }


def news_of_folders(name: str, recorded: Mapping[str, Any] | None) -> str | None:
    """A sentence where images came or went in the folders of a data set without metadata; None where not.

    Such a data set stays what was registered: its runs go on with the images of then.
    """
    changed = [one for one in (recorded or {}).get("folders", ()) if _is_otherwise(one)]
    if not changed:
        return None
    folder = Path(changed[0]["path"])
    there = f"{_listing(folder)['n']:,}" if folder.is_dir() else "none"
    others = f"; {len(changed) - 1:,} more of its folders have changed" if len(changed) > 1 else ""
    return (
        f"{folder} of {name} had {changed[0]['n']:,} files and folders at the import and now has {there}{others}: "
        f"{REMEDY} to use what is there."
    )


def _folders(table: ImageTable) -> list[Path]:
    """The folders in which images lie, and those above them in the data set."""
    inside = {Path(name) for name in {path.rpartition("/")[0] for path in table.frame["path"]}}
    above = {parent for folder in inside for parent in folder.parents}
    return [table.root / folder for folder in sorted(inside | above)][:MOST_FOLDERS]


def _listing(folder: Path) -> dict[str, Any]:
    names = sorted(one.name for one in os.scandir(folder) if not one.name.startswith("."))
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return {"path": str(folder), "mtime_ns": folder.stat().st_mtime_ns, "n": len(names), "content": digest}


def _is_otherwise(record: Mapping[str, Any]) -> bool:
    folder = Path(record["path"])
    if not folder.is_dir():
        return True
    touched: bool = folder.stat().st_mtime_ns != record["mtime_ns"]
    return touched and str(_listing(folder)["content"]) != str(record["content"])


def check_unchanged(name: str, recorded: Mapping[str, Any] | None) -> None:
    """Compare the files of the data set called ``name`` with those recorded at import; without a record it passes.

    Raises:
        DataRefusedError: they differ from those that were imported; names a path and the remedy.
    """
    if not recorded:
        return
    for record in recorded["metadata"]:
        path = Path(record["path"])
        if not path.is_file():
            raise DataRefusedError(f"{path} of {name} is missing since the import: put it back, or {REMEDY}.")
        if _differs(path, record):
            raise DataRefusedError(f"{path} has changed since {name} was imported: put the old file back, or {REMEDY}.")
    images = [(Path(record["path"]), record) for record in recorded["images"]]
    missing = [path for path, _ in images if not path.is_file()]
    if missing:
        are, them, they = ("is", "it", "it is") if len(missing) == 1 else ("are", "them", "they are")
        raise DataRefusedError(
            f"{len(missing)} of the {len(images)} checked images of {name} {are} missing, for example {missing[0]}: "
            f"move {them} back, or {REMEDY} from where {they} now."
        )
    changed = [path for path, record in images if _differs(path, record)]
    if changed:
        have, files = ("has", "file") if len(changed) == 1 else ("have", "files")
        raise DataRefusedError(
            f"{len(changed)} of the {len(images)} checked images of {name} {have} changed since the import, for "
            f"example {changed[0]}: put the old {files} back, or {REMEDY}."
        )


def _record(path: Path) -> dict[str, Any]:
    about = path.stat()
    return {"path": str(path), "size": about.st_size, "mtime_ns": about.st_mtime_ns, "content": _content(path)}


def _differs(path: Path, record: Mapping[str, Any]) -> bool:
    about = path.stat()
    if about.st_size != record["size"]:
        return True
    return about.st_mtime_ns != record["mtime_ns"] and _content(path) != str(record["content"])


def _content(path: Path) -> str:
    return sha256_of(path)[:16]
