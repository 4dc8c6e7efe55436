"""COCO: ``annotations/instances_train2017.json`` and its like; the largest object of an image is its class and box.

An image has one label here. Its class is that of its largest annotation by area, whose box comes along; images without
annotations are left out. A file's split is in its name; one file alone is dealt out. Its mask is drawn from the
segmentations of all objects of its class, crowds among them; where there are none the box stands for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from slim_core.data.draft import BOTH, Draft
from slim_core.data.importers.folders import names_of, numbered, split_folders
from slim_core.data.outlines import Outline, outline
from slim_core.data.report import FormatRefusedError
from slim_core.data.table import BOX_COLUMNS
from slim_core.data.tables import head_of, read_json
from slim_core.errors import quoted
from slim_core.formatting import counted, first_few, is_or_are

INSTANCES = "instances_"  # what the files of objects begin with in a release of COCO
KEYS = {"images", "annotations", "categories"}
SPLITS = ("train", "val", "test")
NEEDED = ["image_id", "category_id", "bbox", "area", "segmentation"]  # keys of an annotation
NO_BOX = (math.nan,) * 4
MOST_SAID = 100  # letters of what Python says of a value, which it may repeat in full
PEEK = 4096  # bytes of a file that are read to see whether it may be one


class Coco:
    """Detection or segmentation annotations, read as a classification set."""

    name = "coco"
    about = "a JSON file with images, annotations and categories (COCO); an image's class is its largest object's"
    options: tuple[str, ...] = ("file", "images", "masks")

    def matches(self, path: Path) -> str | None:
        """A JSON file with the three lists."""
        found = _find(path)
        return f"{found[0].name} has images, annotations and categories" if found else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table; masks are written out, unless masks=no."""
        files, others = ([path / options["file"]], []) if options.get("file") else _parted(path)
        if not files:
            raise FormatRefusedError("no-metadata", f"{path} holds no annotations of COCO: name them with file=NAME.")
        root = path if path.is_dir() else path.parent
        parts = [_rows(file, root, options.get("images")) for file in files]
        rows = pd.concat([frame for frame, _ in parts], ignore_index=True)
        if not len(rows):
            raise FormatRefusedError("no-images", f"{files[0].name} annotates no image: name another file.")
        named = rows["split"].isin(SPLITS).all() and (rows["split"] == "train").any()
        return Draft(
            source=files[0].name,
            metadata=tuple(files),
            root=root,
            paths=rows["path"],
            splits=rows["split"] if named else None,
            labels=numbered(rows["label"]),
            outlines=_outlines_of(rows, options.get("masks", "yes")),
            boxes=rows[list(BOX_COLUMNS)],
            label_names=names_of(rows["label"]),
            may_be_names=BOTH,
            notes=(*_unread([str(file.relative_to(root)) for file in others]), *_left_out([left for _, left in parts])),
        )


def _unread(files: Sequence[str]) -> tuple[str, ...]:
    """A sentence on the files that annotate the same images otherwise, by the names that the option takes."""
    sentence = f"{first_few(files)} {is_or_are(len(files))} not read, for instances are: name one with file=NAME."
    return (sentence,) if files else ()


def _left_out(files: Sequence[tuple[int, int, int]]) -> tuple[str, ...]:
    """A sentence on each kind of what is not in the rows: images without an annotation, annotations of images that the
    file does not list, and images with annotations of several classes.
    """
    bare, lost, mixed = (sum(counts) for counts in zip(*files, strict=True))
    notes = []
    if lost:
        those = f"{counted(lost, 'annotation')} {is_or_are(lost)} left out"
        notes.append(f"{those}: {'its image is' if lost == 1 else 'their images are'} not listed in the file.")
    if mixed:
        those = f"{counted(mixed, 'image')} {'has' if mixed == 1 else 'have'} annotations of several classes"
        notes.append(f"{those}: the class of the largest is taken.")
    if bare:
        notes.append(f"{counted(bare, 'image')} without an annotation {is_or_are(bare)} left out.")
    return tuple(notes)


def _outlines_of(rows: pd.DataFrame, wanted: str) -> list[Outline | None] | None:
    """What the mask of each row is drawn from; None where no masks are wanted, or there are none."""
    if wanted not in ("yes", "no"):
        raise FormatRefusedError("options", f"The option masks is yes or no, not {wanted!r}.")
    if wanted == "no" or not rows["outline"].notna().any():
        return None
    return [each if isinstance(each, Outline) else None for each in rows["outline"]]


def _find(path: Path) -> list[Path]:
    return _parted(path)[0]


def _parted(path: Path) -> tuple[list[Path], list[Path]]:
    """The files that are read, and those that annotate the same images otherwise: beside ``instances_train2017.json``
    a release of COCO has ``person_keypoints_train2017.json``, and may have stuff and panoptic ones.
    """
    found = _all(path)
    stems = {file: file.stem.lower() for file in found}
    of = tuple(tail for one in stems.values() if one.startswith(INSTANCES) and (tail := one.removeprefix(INSTANCES)))
    left = [file for file, stem in stems.items() if not stem.startswith(INSTANCES) and of and stem.endswith(of)]
    return [file for file in found if file not in left], left


def _all(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if _is_coco(path) else []
    if not path.is_dir():
        return []
    as_roboflow = [path / name for name in split_folders(path)]
    folders = (path, path / "annotations", *as_roboflow)
    return [file for folder in folders for file in sorted(folder.glob("*.json")) if _is_coco(file)]


def _is_coco(path: Path) -> bool:
    """Whether the file is one: the head of a large one must name a key, a small one is read."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        head = head_of(path, PEEK)
        if not any(f'"{key}"' in head for key in (*KEYS, "info")):
            return False
        return set(_load(path)) >= KEYS
    except FormatRefusedError:
        return False


def _load(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or not set(content) >= KEYS:
        raise FormatRefusedError("missing-column", f"{path.name} lacks one of {', '.join(sorted(KEYS))}: add it.")
    return content


def _rows(path: Path, root: Path, images: str | None) -> tuple[pd.DataFrame, tuple[int, int, int]]:
    """One row an annotated image, and what is left out: the counts of ``_left_out``."""
    content = _load(path)
    try:
        if not content["images"]:
            nothing = pd.DataFrame(columns=["path", "split", "label", "outline", *BOX_COLUMNS])
            return nothing, (0, len(content["annotations"]), 0)
        pictures = _pictures(content["images"], path)
        kinds = {kind["id"]: str(kind["name"]) for kind in content["categories"]}
        objects = _objects(content["annotations"])
        largest = objects.sort_values("area", kind="stable").groupby("image_id").tail(1)
        rows = pictures.merge(largest, left_on="id", right_on="image_id").sort_values("id", kind="stable")
        outlines = _outlines(rows, objects)
        boxes = pd.DataFrame(rows["bbox"].tolist(), columns=list(BOX_COLUMNS), index=rows.index).astype(float)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise FormatRefusedError(
            "missing-column",
            f"{path.name} has an image, annotation or category without its id, file_name or name, or a size, area "
            f"or box that is not of numbers ({str(error)[:MOST_SAID]}): complete it, or take it out.",
        ) from error
    _require_listed(rows["category_id"], kinds, path)
    folder = _folder_of(path, root, images, str(rows["file_name"].iloc[0]) if len(rows) else "")
    named = path.stem.lower() if path.parent in (root, root / "annotations") else path.parent.name.lower()
    split = next((split for split in SPLITS if split in named), "")
    frame = pd.DataFrame(
        {
            "path": rows["file_name"].map(lambda name: f"{folder}/{name}" if folder else name),
            "split": split,
            "label": rows["category_id"].map(kinds),
            "outline": outlines,
            **{column: boxes[column] for column in BOX_COLUMNS},
        }
    )
    is_listed = objects["image_id"].isin(pictures["id"])
    mixed = objects[is_listed].groupby("image_id")["category_id"].nunique() > 1
    return frame, (len(pictures) - len(rows), int((~is_listed).sum()), int(mixed.sum()))


def _pictures(images: list[Any], path: Path) -> pd.DataFrame:
    """id, file_name, and width and height where they are known; raises what lacks one or is of another kind."""
    given = [(one["id"], one["file_name"], one.get("width"), one.get("height")) for one in images]
    pictures = pd.DataFrame(given, columns=["id", "file_name", "width", "height"], dtype=object)
    if not pictures["file_name"].map(lambda name: isinstance(name, str)).all():
        raise TypeError("a file_name is not text")
    for key in ("id", "file_name"):
        twice = pictures[key][pictures[key].duplicated()]
        if len(twice):
            those = f"{path.name} lists several images of the {key} {quoted(twice.iloc[0])}"
            raise FormatRefusedError("images", f"{those}: give each its own, or take all but one out.")
    return pictures


def _objects(annotations: list[Any]) -> pd.DataFrame:
    """What is needed of each annotation; with keys of its own each, all of them would take a column a key."""
    objects = pd.DataFrame([tuple(map(one.get, NEEDED)) for one in annotations], columns=NEEDED, dtype=object)
    objects["bbox"] = objects["bbox"].map(_box)
    objects["area"] = objects["area"].astype(float).fillna(objects["bbox"].map(lambda box: box[2] * box[3]))
    objects["area"] = objects["area"].astype(float).fillna(0)  # of a label for the whole image, as of camera traps
    return objects


def _box(given: Any) -> tuple[float, ...]:
    """(x, y, width, height); NaN where there is none."""
    if not isinstance(given, list) or not given:
        return NO_BOX
    x, y, width, height = map(float, given)
    return x, y, width, height


def _require_listed(used: pd.Series, kinds: Mapping[Any, str], path: Path) -> None:
    """Refuse categories of annotations that the file does not name."""
    unlisted = used[~used.isin(list(kinds))]
    if len(unlisted):
        raise FormatRefusedError(
            "labels",
            f"{counted(len(unlisted), 'image')} {is_or_are(len(unlisted))} of the category {quoted(unlisted.iloc[0])}, "
            f"which {path.name} does not list: add it to the categories there.",
        )


def _outlines(rows: pd.DataFrame, objects: pd.DataFrame) -> pd.Series:
    """(N,) of each image, from all objects of its class; None where nothing is known of them."""
    of_class = objects.groupby(["image_id", "category_id"], sort=False)["segmentation"].agg(list).to_dict()
    sizes = rows[["width", "height"]].astype(float).itertuples(index=False, name=None)
    keys = zip(rows["image_id"], rows["category_id"], strict=True)
    found = [outline(size, of_class[key]) for size, key in zip(sizes, keys, strict=True)]
    return pd.Series(found, rows.index, dtype=object)


def _folder_of(path: Path, root: Path, images: str | None, first: str) -> str:
    """The images' folder: as named, or one called as the file's split or year is (train2017), or images/."""
    if images:
        return images
    stem = path.stem.lower().removeprefix(INSTANCES).removeprefix("_annotations")
    beside = str(path.parent.relative_to(root)).removeprefix(".") if path.is_relative_to(root) else ""
    for name in (stem, f"images/{stem}", "images", "", beside):
        if (root / name / first).is_file():
            return name
    return ""
