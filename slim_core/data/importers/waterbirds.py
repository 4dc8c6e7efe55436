"""Waterbirds and everything shaped like it: metadata.csv with img_filename, y, split and, where known, place.

The demo sets are, with the names of classes and attribute values from their marker. CUB's masks
(``segmentations/<class>/<name>.png``) and boxes (``bounding_boxes.txt``) apply unscaled (METHOD section 5). Boxes are
matched to images by id through ``images.txt``, never by order (METHOD section 3, mistake 3).
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd
from pydantic import BaseModel, ValidationError

from slim_core.data.draft import Draft, boxes_frame, find_masks, names_option, need_columns
from slim_core.data.files.own_file import require_own_file
from slim_core.data.files.tables import header_of, read_table
from slim_core.data.report import FormatRefusedError
from slim_core.data.sets.demo_set import MARKER, demo_marker

METADATA = "metadata.csv"
CUB_FILES = ("bounding_boxes.txt", "images.txt")
COLUMNS = ("img_id", "img_filename", "y", "split", "place", "place_filename")
EXPECTED = {
    "train": (3498, 184, 56, 1057),
    "val": (467, 466, 133, 133),
    "test": (2255, 2255, 642, 642),
}
OWN_NAMES = {"y": ("landbird", "waterbird"), "place": ("land", "water")}
NAME_OPTIONS = {"y": "label_names", "place": "attribute_names"}
MASK_FOLDERS = ("segmentations", "masks")
_OF_CUB = re.compile(r"\d{3}\.\w+/")  # of a path: "001.Black_footed_Albatross/"


class Waterbirds:
    """``waterbird_complete95_forest2water2`` as published, with masks and boxes of CUB where they lie beside it."""

    name = "waterbirds"
    about = "metadata.csv with img_id, img_filename, y, split, place (Waterbirds); masks in segmentations/ or masks/"
    options: tuple[str, ...] = ("cub", "label_names", "attribute_names")
    remedy = "take the metadata.csv of the release, or use the format csv and name your columns"

    def matches(self, path: Path) -> str | None:
        """metadata.csv speaks of img_filename and place, or of Waterbirds' columns alone."""
        header = set(header_of(folder_of(path, METADATA) / METADATA))
        if "img_filename" in header and ("place" in header or header <= set(COLUMNS)):
            return f"{METADATA} has the columns {', '.join(name for name in COLUMNS if name in header)}"
        return None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table; place may be absent."""
        folder = folder_of(path, METADATA)
        frame = read_table(folder / METADATA)
        need_columns(frame, ("img_filename", "y", "split"), METADATA, self.remedy)
        cub = _cub_folder(folder, options)
        paths = frame["img_filename"].astype(str)
        has_place = "place" in frame
        names = {column: _names(frame, column, own) for column, own in OWN_NAMES.items()}
        named = {column: names_option(options, option) for column, option in NAME_OPTIONS.items()}
        return Draft(
            source=METADATA,
            metadata=(folder / METADATA, *(cub / name for name in CUB_FILES if (cub / name).is_file())),
            root=folder,
            paths=paths,
            splits=frame["split"],
            labels=frame["y"],
            attributes=frame["place"] if has_place else None,
            masks=_masks(folder, cub, paths),
            boxes=_boxes(cub, frame),
            label_names=named["y"] or names["y"],
            lines=True,
            attribute_name="place" if has_place else None,
            attribute_names=named["place"] or names["place"],
            expected=EXPECTED if has_place and _looks_published(frame) else {},
            notes=_renamed(paths, {column for column in names if names[column] and not named[column]}),
        )


def _names(frame: pd.DataFrame, column: str, binary: tuple[str, ...]) -> tuple[str, ...] | None:
    """Waterbirds' own names where there are places and the column is binary; else the numbers serve."""
    binary_values = "place" in frame and set(frame[column].astype(str).str.strip()) <= {"0", "1"}
    return binary if binary_values else None


def _renamed(paths: pd.Series, columns: Container[str]) -> tuple[str, ...]:
    """Of files that are not named as CUB's: whose numbers are called as Waterbirds calls them."""
    called = [(column, own) for column, own in OWN_NAMES.items() if column in columns]
    if not called or paths.str.contains(_OF_CUB).any():
        return ()
    said = " and ".join(f"0 and 1 of {column} are called {' and '.join(own)}" for column, own in called)
    remedy = " and ".join(f"{NAME_OPTIONS[column]}=NAME0,NAME1" for column, _ in called)
    return (f"As in Waterbirds, {said}: if they are something else, name them with {remedy}.",)


def folder_of(path: Path, *metadata: str) -> Path:
    """The folder a data set lies in, also when a metadata file of its form was named. Any other file stays itself: who
    names a table means that one, and not what lies beside it.
    """
    return path.parent if path.name in metadata and path.is_file() else path


def _looks_published(frame: pd.DataFrame) -> bool:
    """Waterbirds by its size (11,788 images of CUB); small or foreign sets of the same shape are not compared."""
    return 11_000 <= len(frame) <= 12_500 and set(frame["y"].astype(str).str.strip()) <= {"0", "1"}


def _cub_folder(folder: Path, options: Mapping[str, str]) -> Path:
    """Where CUB's annotations lie: named, beside or inside the data set, or the data set itself."""
    if options.get("cub"):
        return _named_folder(Path(options["cub"]).expanduser())
    places = (folder, folder / "CUB_200_2011", folder.parent / "CUB_200_2011")
    return next((p for p in places if (p / "bounding_boxes.txt").is_file() or (p / "segmentations").is_dir()), folder)


def _named_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise FormatRefusedError("missing-folder", f"The option cub names {folder}, which is not a folder.")
    return folder


def _masks(folder: Path, cub: Path, paths: pd.Series) -> pd.Series | None:
    for base in dict.fromkeys((folder, cub)):
        for kind in MASK_FOLDERS:
            if (base / kind).is_dir():
                found = find_masks(base / kind, paths, mask_candidates)
                prefix = kind if base == folder else str(base / kind)
                return found.map(lambda name, prefix=prefix: f"{prefix}/{name}" if name else "")
    return None


def mask_candidates(path: str) -> list[str]:
    """Names a mask of an image may have in a mask folder: same place, or without the images' own top folder."""
    png = PurePosixPath(path).with_suffix(".png")
    return [str(png), *([str(PurePosixPath(*png.parts[1:]))] if len(png.parts) > 1 else [])]


def _boxes(cub: Path, frame: pd.DataFrame) -> pd.DataFrame | None:
    """(N, 4) boxes of CUB, by the image's name through images.txt, else by the metadata's own id."""
    path = cub / "bounding_boxes.txt"
    if not path.is_file():
        return None
    try:
        boxes = {line[0]: [float(v) for v in line[1:]] for line in _fields(path, 5)}
    except ValueError as error:
        raise FormatRefusedError("boxes", f"{path} holds a box that is not a number ({error}): repair it.") from error
    ids = _ids(cub, frame)
    return boxes_frame({row: boxes[i] for row, i in enumerate(ids) if i in boxes}, len(frame))


def _ids(cub: Path, frame: pd.DataFrame) -> list[str]:
    if (cub / "images.txt").is_file():
        by_name = {name: number for number, name in _fields(cub / "images.txt", 2)}
        names = frame["img_filename"].astype(str)
        return [by_name.get(name) or by_name.get(name.partition("/")[2], "") for name in names]
    need_columns(frame, ("img_id",), METADATA, "boxes are matched by id: add it, or put CUB's images.txt beside them")
    return [str(i).strip() for i in frame["img_id"]]


def _fields(path: Path, n: int) -> list[list[str]]:
    """Blank-separated fields of each line; a line of another width is refused."""
    lines = [line.split() for line in require_own_file(path).read_text(errors="replace").splitlines() if line.strip()]
    wrong = next((number for number, line in enumerate(lines, start=1) if len(line) != n), None)
    if wrong is not None:
        raise FormatRefusedError("boxes", f"{path}, line {wrong}, should have {n} fields: repair or remove the file.")
    return lines


class Demo(Waterbirds):
    """Reads what ``write_set`` wrote."""

    name = "demo"
    about = "a demo set, written by slim demo-data"
    options: tuple[str, ...] = ()

    def matches(self, path: Path) -> str | None:
        """The marker is there."""
        return f"{MARKER} marks a demo set" if demo_marker(_folder(path)) is not None else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        folder = _folder(path)
        draft = super().read(folder, options)
        marker = demo_marker(folder) or {}
        try:
            found = _Names.model_validate(marker)
        except ValidationError as error:
            where = error.errors()[0]["loc"][0]
            raise FormatRefusedError(
                "marker", f"{MARKER} has {where} that no demo set has: write the set again, or take {MARKER} away."
            ) from error
        return replace(
            draft,
            label_names=found.label_names,
            attribute_name=found.attribute_name,
            attribute_names=found.attribute_names,
            notes=(),  # of names that Waterbirds has
        )


class _Names(BaseModel):
    """What the marker says of the classes and the attribute."""

    label_names: tuple[str, ...]
    attribute_name: str
    attribute_names: tuple[str, ...]


def _folder(path: Path) -> Path:
    return folder_of(path, METADATA, MARKER)
