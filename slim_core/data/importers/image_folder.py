"""A folder for each class: ``train/cat/1.jpg`` (torchvision's ImageFolder), or ``cat/1.jpg`` without splits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from slim_core.data.draft import Draft
from slim_core.data.importers.folders import (
    at_depth,
    has_images,
    list_images,
    names_of,
    split_folders,
    subfolders,
    unread_images,
)


class ImageFolder:
    """Classes are folders, numbered in alphabetical order; splits are folders above them, or are made."""

    name = "image-folder"
    about = "a folder for each class, in folders train, val and test or without them"
    options: tuple[str, ...] = ()

    def matches(self, path: Path) -> str | None:
        """Folders with images in them, below folders that are named as splits or directly."""
        if not path.is_dir():
            return None
        if splits := split_folders(path):
            classes = {name for split in splits for name in subfolders(path / split) if has_images(path / split / name)}
            return f"{', '.join(splits)} hold a folder for each of {len(classes)} classes" if classes else None
        classes = {name for name in subfolders(path) if has_images(path / name)}
        return f"it holds a folder for each of {len(classes)} classes" if len(classes) > 1 else None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:  # noqa: ARG002  # this form has no options
        """The raw table."""
        splits = split_folders(path)
        listed = list_images(path)
        shape = "train/CLASS/IMAGE" if splits else "CLASS/IMAGE"
        rows = at_depth(listed, 2 if splits else 1, path, shape)
        if splits:
            rows = rows[rows[0].isin(splits)].reset_index(drop=True)
        labels = rows[1 if splits else 0]
        return Draft(
            source=path.name,
            root=path,
            paths=rows["path"],
            splits=rows[0] if splits else None,
            labels=_numbered(labels),
            label_names=names_of(labels),
            notes=(*_left_out(len(listed) - len(rows), shape), *_unread(path)),
        )


def _numbered(labels: pd.Series) -> pd.Series:
    """Folder names are names, also where they are digits: "3" may be the first of the classes 3, 5 and 7."""
    return labels.map({name: number for number, name in enumerate(names_of(labels))})


def _unread(path: Path) -> tuple[str, ...]:
    unread = unread_images(path)
    return (f"There are {unread}, or they are left out.",) if unread else ()


def _left_out(n: int, shape: str) -> tuple[str, ...]:
    return (f"{n:,} images that do not lie as {shape} are left out.",) if n else ()
