"""A folder for each class: ``train/cat/1.jpg`` (torchvision's ImageFolder), or ``cat/1.jpg`` without splits.

As in torchvision, images may lie in folders below that of their class: ``cat/patient-7/1.jpg`` is of the class cat.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from slim_core.data.draft import Draft
from slim_core.data.importers.folders import (
    DEEPEST,
    SPLIT_FOLDERS,
    has_images,
    holds_images,
    is_of_masks,
    left_out,
    list_images,
    names_of,
    numbered,
    passed_over,
    split_folders,
    subfolders,
    unread_images,
)
from slim_core.data.report import FormatRefusedError
from slim_core.formatting import counted, first_few, is_or_are

UNIT, FOLDER = "unit", "folder"  # the option, and its value
MOST_TWINS = 20  # folders of the same names in every class that may be the classes: more are numbered patients
ALL_IMAGES = "images"  # a folder of this name beside others holds the data set: it is none of its classes


class ImageFolder:
    """Classes are folders, numbered in alphabetical order; splits are folders above them, or are made."""

    name = "image-folder"
    about = (
        "a folder for each class, in folders train, val and test or without them; a class may hold folders, such as "
        "one for each patient, whose images unit=folder keeps in one split"
    )
    options: tuple[str, ...] = (UNIT,)

    def matches(self, path: Path) -> str | None:
        """Folders with images in or below them, below folders that are named as splits or directly."""
        if not path.is_dir():
            return None
        splits, classes = split_folders(path), len({parts[-1] for parts in _class_folders(path)})
        if splits:
            return f"{', '.join(splits)} hold a folder for each of {classes} classes" if classes else None
        return f"it holds a folder for each of {classes} classes" if classes > 1 else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        above = split_folders(path)
        shape = "train/CLASS/IMAGE" if above else "CLASS/IMAGE"
        listed = list_images(path)
        lying = _lying(path, listed, 1 if above else 0)
        rows = lying[~lying["is_mask"].astype(bool)].reset_index(drop=True)
        if not len(rows):
            raise FormatRefusedError(
                "no-images", f"{path} holds no images as {shape}: arrange them so, or name the format."
            )
        within = not above and _are_splits(rows["inside"])
        units = None if within else _units(rows["inside"], options)
        return Draft(
            source=path.name,
            root=path,
            paths=rows["path"],
            splits=rows["first"] if above else rows["inside"] if within else None,
            labels=numbered(rows["label"]),
            units=units,
            label_names=names_of(rows["label"]),
            notes=(
                *_passed_over(path),
                *left_out(len(listed) - len(lying), shape),
                *_left_masks(len(lying) - len(rows)),
                *(_splits_within(rows) if within else _nested(rows, may_part=not above and units is None)),
                *_unread(path),
            ),
        )


def _lying(path: Path, listed: pd.DataFrame, depth: int) -> pd.DataFrame:
    """The images in folders of classes: ``first`` of the folders, the ``label`` at ``depth``, the folder ``inside`` it
    ("" where there is none), and ``is_mask``, by the name of a folder inside.
    """
    folders = _class_folders(path)
    rows = [
        (name, parts[0], parts[depth], "".join(parts[depth + 1 : depth + 2]), any(map(is_of_masks, parts[depth + 1 :])))
        for name, parts in zip(listed["path"], listed["parts"], strict=True)
        if parts[: depth + 1] in folders
    ]
    return pd.DataFrame(rows, columns=["path", "first", "label", "inside", "is_mask"])


def _class_folders(path: Path) -> set[tuple[str, ...]]:
    """(split, class) of each folder of a class, or (class,) where there are no splits."""
    splits = split_folders(path)
    if splits:
        return {(split, name) for split in splits for name in _classes(path / split)}
    return {(name,) for name in _classes(path)}


def _classes(folder: Path) -> list[str]:
    """Folders that hold images; those that hold them further down only where nothing says that they are no classes:
    neither the name, nor splits of their own.
    """
    names = subfolders(folder)
    direct = [name for name in names if has_images(folder / name)]
    nested = [name for name in names if name not in direct and not is_of_masks(name) and _is_nested(folder / name)]
    return direct if ALL_IMAGES in nested else direct + nested


def _is_nested(folder: Path) -> bool:
    """Whether images lie below a folder that is no data set of its own."""
    try:
        return holds_images(folder) and not any(_classes(folder / split) for split in split_folders(folder))
    except FormatRefusedError:  # a folder that cannot be read: reading all of it says which
        return False


def _are_splits(inside: pd.Series) -> bool:
    """Whether all images lie in folders of splits inside the classes: ``cat/train/1.jpg``."""
    words = inside.str.lower()
    return bool(words.isin(SPLIT_FOLDERS).all() and words.str.startswith("train").any())


def _units(inside: pd.Series, options: Mapping[str, str]) -> pd.Series | None:
    """Whose images stay in one split: the first folder inside the class, where that is asked for.

    Raises:
        FormatRefusedError: another value of the option was given.
    """
    asked = options.get(UNIT, "none")
    if asked not in (FOLDER, "none"):
        raise FormatRefusedError("options", f"The option {UNIT} is {FOLDER} or none for class folders, not {asked!r}.")
    return inside.rename(FOLDER) if asked == FOLDER else None


def _splits_within(rows: pd.DataFrame) -> tuple[str, ...]:
    first = rows.iloc[0]
    return (f"Folders inside the classes are read as splits: {first['path']} is of the class {first['label']}.",)


def _nested(rows: pd.DataFrame, *, may_part: bool) -> tuple[str, ...]:
    """How folders inside the classes were read; ``may_part``: splits are made, and may part what lies in one folder."""
    nested = rows[rows["inside"] != ""]
    if not len(nested):
        return ()
    first, notes = nested.iloc[0], []
    notes.append(
        f"{counted(len(nested), 'image')} in folders inside a class {is_or_are(len(nested))} of that class, such as "
        f"{first['path']} of {first['label']}.{_or_classes(nested)}"
    )
    if may_part:
        notes.append(
            "Images of one folder inside a class may come into different splits: where each is a patient, a video or "
            f"an object, give the format image-folder the option {UNIT}={FOLDER}."
        )
    return tuple(notes)


def _or_classes(nested: pd.DataFrame) -> str:
    """What else folders of the same names in every class may be: a sentence."""
    inside = {frozenset(names) for _, names in nested.groupby("label")["inside"]}
    names = sorted(inside.pop())
    if inside or nested["label"].nunique() < 2 or not 2 <= len(names) <= MOST_TWINS:
        return ""
    return f" Every class holds the folders {first_few(names)}: if these are the classes, put them above the others."


def _passed_over(path: Path) -> tuple[str, ...]:
    """A sentence on each kind of thing that is left out and could be meant."""
    found, said = passed_over(path), []
    if n := len(found.links):
        are = "is a link and is" if n == 1 else "are links and are"
        said.append(
            f"{counted(n, 'folder')} {are} not followed: {first_few(found.links)}. Only images below {path} are read."
        )
    if found.deep:
        said.append(
            f"Images more than {DEEPEST} folders deep are left out: {first_few(found.deep)}. Move them further up."
        )
    if n := len(found.bare):
        files = f"{counted(n, 'file')} without a suffix {is_or_are(n)} left out: {first_few(found.bare)}."
        said.append(f"{files} Give images theirs, such as .jpg.")
    return tuple(said)


def _unread(path: Path) -> tuple[str, ...]:
    unread = unread_images(path)
    return (f"There are {unread}, or they are left out.",) if unread else ()


def _left_masks(n: int) -> tuple[str, ...]:
    left_out = f"{counted(n, 'image')} in folders named as masks {is_or_are(n)} left out"
    return (f"{left_out}: to use them, name the mask of each image in a table.",) if n else ()
