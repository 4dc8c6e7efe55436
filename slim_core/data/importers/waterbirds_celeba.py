"""Waterbirds with everything shaped like it, and CelebA: the two data sets that methods for groups are compared on.

Waterbirds is a metadata.csv with img_filename, y, split and, where known, place. The demo sets are so, with the names
of classes and attribute values from their marker. CUB's masks (``segmentations/<class>/<name>.png``) and boxes
(``bounding_boxes.txt``) apply unscaled (METHOD section 5). Boxes are matched to images by id through ``images.txt``,
never by order (METHOD section 3, mistake 3).

Of CelebA any attribute is the target, any other the spurious one (Blond_Hair and Male by default). Three forms:
list_attr_celeba.csv + list_eval_partition.csv, the original whitespace .txt files with a count line, or a metadata.csv.
The images may be nested twice in img_align_celeba.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from pydantic import BaseModel, ValidationError

from slim_core.data.draft import Draft, boxes_frame, find_masks, names_option, need_columns
from slim_core.data.report import FormatRefusedError
from slim_core.data.sets import made_for
from slim_core.data.sets.demo_set import MARKER, demo_marker
from slim_core.data.tables import header_of, lines_of, read_blank_separated, read_table
from slim_core.formatting import counted

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
    lines = [line.split() for line in lines_of(path)]
    wrong = next((number for number, line in enumerate(lines, start=1) if len(line) != n), None)
    if wrong is not None:
        raise FormatRefusedError("boxes", f"{path}, line {wrong}, should have {n} fields: repair or remove the file.")
    return lines


class Demo(Waterbirds):
    """Reads what ``write_set`` wrote."""

    name = "demo"
    about = "a demo set, written by slim demo"
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
            model=made_for(marker),
        )


class _Names(BaseModel):
    """What the marker says of the classes and the attribute."""

    label_names: tuple[str, ...]
    attribute_name: str
    attribute_names: tuple[str, ...]


def _folder(path: Path) -> Path:
    return folder_of(path, METADATA, MARKER)


ATTRIBUTES = "list_attr_celeba"
PARTITION = "list_eval_partition"
CELEBA_FILES = (*(f"{one}{suffix}" for one in (ATTRIBUTES, PARTITION) for suffix in (".csv", ".txt")), "metadata.csv")
IMAGES = "img_align_celeba"
TARGET, ATTRIBUTE = "Blond_Hair", "Male"
EXPECTED_OF_CELEBA = {
    "train": (71629, 66874, 22880, 1387),
    "val": (8535, 8276, 2874, 182),
    "test": (9767, 7535, 2480, 180),
}
FULL_SIZE = 202_599
PARTITION_NAMES = ("partition", "split", "evaluation_status")
ID_NAMES = ("image_id", "img_filename", "filename", "image", "img_id")


class CelebA:
    """Two of CelebA's forty attributes as label and spurious attribute."""

    name = "celeba"
    about = "list_attr_celeba and list_eval_partition (.csv or .txt), or metadata.csv; options target=, attribute="
    options: tuple[str, ...] = ("target", "attribute")

    def matches(self, path: Path) -> str | None:
        """CelebA's own files lie there, or a metadata.csv with its default target."""
        folder = folder_of(path, *CELEBA_FILES)
        if found := _find_list(folder, ATTRIBUTES):
            return f"{found.name} is there"
        return f"metadata.csv has the column {TARGET}" if TARGET in header_of(folder / "metadata.csv") else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        folder = folder_of(path, *CELEBA_FILES)
        target, attribute = options.get("target") or TARGET, options.get("attribute") or ATTRIBUTE
        source, frame = _joined(folder)
        need_columns(frame, (target, attribute), source, "choose target and attribute among the columns")
        images = _images_folder(folder)
        paths = frame["image_id"].fillna("").map(lambda name: f"{images}/{name}" if images else name)
        published = len(frame) == FULL_SIZE and (target, attribute) == (TARGET, ATTRIBUTE)
        masks = folder / "masks"
        return Draft(
            source=source,
            metadata=tuple(path for path in (_find_list(folder, ATTRIBUTES), _find_list(folder, PARTITION)) if path)
            or (folder / source,),
            root=folder,
            paths=paths,
            splits=frame["split"],
            labels=_binary(frame[target]),
            attributes=_binary(frame[attribute]),
            masks=_celeba_masks(masks, paths) if masks.is_dir() else None,
            label_names=_binary_names(target),
            attribute_name=attribute,
            attribute_names=_binary_names(attribute),
            expected=EXPECTED_OF_CELEBA if published else {},
        )


def _binary_names(attribute: str) -> tuple[str, str]:
    word = attribute.replace("_", " ").lower()
    return ("female", "male") if attribute == "Male" else (f"not {word}", word)


def _binary(column: pd.Series) -> pd.Series:
    """-1/1 as 0/1; anything else is left for the check of integers to name."""
    return column.astype(str).str.strip().replace({"-1": "0"})


def _find_list(folder: Path, stem: str) -> Path | None:
    places = (folder, folder / "Anno", folder / "Eval", folder / "celeba")
    names = [place / f"{stem}{suffix}" for place in places for suffix in (".csv", ".txt")]
    return next((path for path in names if path.is_file()), None)


def _joined(folder: Path) -> tuple[str, pd.DataFrame]:
    """The file's name, and its rows with the columns image_id, split and the attributes."""
    attributes = _find_list(folder, ATTRIBUTES)
    if attributes is None:
        frame = _with_id(read_table(folder / "metadata.csv"), "metadata.csv")
        return "metadata.csv", _with_split(frame, "metadata.csv")
    partition = _find_list(folder, PARTITION)
    if partition is None:
        raise FormatRefusedError(
            "missing-metadata", f"{folder} lacks {PARTITION}.csv or .txt: put it beside {attributes.name}."
        )
    frame = _with_id(_read_list(attributes), attributes.name)
    parts = _with_split(_with_id(_read_list(partition), partition.name), partition.name)
    parts = parts.drop_duplicates(["image_id", "split"])
    _require_one_split(parts, partition.name)
    joined = frame.merge(parts[["image_id", "split"]], on="image_id", how="left", validate="many_to_one")
    if joined["split"].isna().all():
        raise FormatRefusedError(
            "missing-metadata",
            f"{partition.name} names none of the images of {attributes.name}: put the files of one release there.",
        )
    return attributes.name, joined


def _require_one_split(parts: pd.DataFrame, source: str) -> None:
    doubled = parts.loc[parts["image_id"].duplicated(), "image_id"]
    if len(doubled):
        raise FormatRefusedError(
            "splits",
            f"{source} puts {counted(len(doubled), 'image')} into two splits, such as {doubled.iloc[0]}: keep one "
            "line each.",
        )


def _with_id(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    found = next((name for name in ID_NAMES if name in frame), ID_NAMES[0])
    need_columns(frame, (found,), source)
    return frame.rename(columns={found: "image_id"})


def _with_split(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    found = next((name for name in PARTITION_NAMES if name in frame), "split")
    need_columns(frame, (found,), source)
    return frame.rename(columns={found: "split"})


def _read_list(path: Path) -> pd.DataFrame:
    """A table, or the original text: the attributes' begins with a count, and its header has no name for the images;
    that of the splits has no header.
    """
    if path.suffix == ".csv":
        return read_table(path)
    layout: dict[str, Any] = {"names": ["image_id", "split"]} if path.stem == PARTITION else {"skiprows": 1}
    frame = read_blank_separated(path, **layout)
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index(names="image_id")


def _images_folder(folder: Path) -> str:
    """Relative folder of the images: img_align_celeba, nested once or twice, or in Img as published; or none."""
    for name in (f"{IMAGES}/{IMAGES}", IMAGES, f"Img/{IMAGES}/{IMAGES}", f"Img/{IMAGES}", f"celeba/{IMAGES}", "images"):
        if (folder / name).is_dir():
            return name
    return ""


def _celeba_masks(folder: Path, paths: pd.Series) -> pd.Series:
    return find_masks(folder, paths, lambda path: [*mask_candidates(path), f"{Path(path).stem}.png"]).map(
        lambda name: f"masks/{name}" if name else ""
    )
