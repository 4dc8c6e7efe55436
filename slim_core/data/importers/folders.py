"""Images listed by the folders they lie in: what every form without metadata is read from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from slim_core.data.report import FormatRefusedError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
DEEPEST = 6  # folders below the one named


def list_images(root: Path) -> pd.DataFrame:
    """Every image below a folder, in order of its path: ``path`` relative to it, and ``parts``, its folders' names.

    Folders that are links are not entered (they may lead in circles), names that begin with a dot are passed over.

    Raises:
        FormatRefusedError: a folder cannot be read.
    """
    found = sorted(_walk(root, ()))
    return pd.DataFrame({"path": ["/".join(parts) for parts in found], "parts": [parts[:-1] for parts in found]})


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    try:
        with os.scandir(folder) as inside:
            entries = list(inside)
    except OSError as error:
        raise FormatRefusedError(
            "unreadable-folder", f"{folder} cannot be read ({error.strerror}): let this user read it, or move it away."
        ) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if len(above) < DEEPEST:
                yield from _walk(Path(entry.path), (*above, entry.name))
        elif entry.name.lower().endswith(IMAGE_SUFFIXES):
            yield (*above, entry.name)


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, without links and hidden ones; none where it cannot be read."""
    try:
        with os.scandir(folder) as inside:
            found = [entry.name for entry in inside if entry.is_dir(follow_symlinks=False)]
        return sorted(name for name in found if not name.startswith("."))
    except OSError:
        return []


def has_images(folder: Path) -> bool:
    """Whether an image lies directly in this folder."""
    try:
        with os.scandir(folder) as inside:
            return any(entry.name.lower().endswith(IMAGE_SUFFIXES) for entry in inside)
    except OSError:
        return False


def at_depth(listed: pd.DataFrame, depth: int, root: Path, shape: str) -> pd.DataFrame:
    """The images that lie exactly ``depth`` folders deep, with one column a folder: 0, 1, ...

    Raises:
        FormatRefusedError: there are none; ``shape`` says how they should lie.
    """
    right = listed[listed["parts"].map(len) == depth]
    if not len(right):
        raise FormatRefusedError("no-images", f"{root} holds no images as {shape}: put them so, or name the format.")
    columns = pd.DataFrame(right["parts"].tolist(), index=right.index)
    return pd.concat([right[["path"]], columns], axis=1).reset_index(drop=True)


def names_of(words: Iterable[str]) -> tuple[str, ...]:
    """The different words in alphabetical order."""
    return tuple(sorted(set(words)))
