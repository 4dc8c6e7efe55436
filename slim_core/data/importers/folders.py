"""Images listed by the folders they lie in: what every form without metadata is read from."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from slim_core.data.checks.splits import SPLIT_WORDS
from slim_core.data.report import FormatRefusedError
from slim_core.formatting import counted, is_or_are

_OF_JPEG, _OF_PPM = (".jpg", ".jpeg", ".jpe", ".jfif"), (".ppm", ".pgm", ".pbm", ".pnm")
IMAGE_SUFFIXES = (*_OF_JPEG, ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", *_OF_PPM)
_OF_CAMERAS = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw")
UNREAD_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".tga", ".dcm", *_OF_CAMERAS)
SPLIT_FOLDERS = {word for words in SPLIT_WORDS.values() for word in words if word.isalpha()}
MASK_WORDS = ("mask", "seg")
_OF_MASKS = re.compile(r"(.*[\W_])?(masks?|segs?|segmentations?)", re.IGNORECASE)  # not "masked" or "Segovia"
MOST_SEARCHED = 200  # folders that an image of a table is looked for in
DEEPEST = 6  # folders below the one named
NOT_OURS = ("__macosx", "@eadir")  # what macOS adds to archives, and what a Synology station adds to folders


def list_images(root: Path) -> pd.DataFrame:
    """Every image below a folder, in order of its path: ``path`` relative to it, and ``parts``, its folders' names.

    Folders that are links are not entered (they may lead in circles), names that begin with a dot are passed over.

    Raises:
        FormatRefusedError: a folder cannot be read, or a name is no text.
    """
    found = sorted(_walk(root, ()))
    _require_text(root, found)
    return pd.DataFrame({"path": ["/".join(parts) for parts in found], "parts": [parts[:-1] for parts in found]})


def _require_text(root: Path, found: list[tuple[str, ...]]) -> None:
    """Refuse names that are no UTF-8, such as those of an archive from an older Windows: no table can hold them."""
    wrong = [name for name in map("/".join, found) if not _is_text(name)]
    if wrong:
        shown = os.fsencode(wrong[0]).decode(errors="replace")
        raise FormatRefusedError(
            "file-names",
            f"The names of {len(wrong):,} of {len(found):,} images below {root} are not in UTF-8, such as {shown}: "
            "rename them, for example with convmv.",
        )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def unread_images(root: Path) -> str:
    """What to do about the pictures below a folder that are of a form that is not read; "" where there are none.

    Raises:
        FormatRefusedError: a folder cannot be read.
    """
    found = Counter(Path(parts[-1]).suffix.lower() for parts in _walk(root, (), UNREAD_SUFFIXES))
    if not found:
        return ""
    kinds = ", ".join(f"{n:,} {suffix}" for suffix, n in found.most_common())
    return f"pictures in formats that are not read ({kinds}): convert them to JPEG or PNG"


@dataclass(frozen=True)
class PassedOver:
    """What lies below a folder, may be or hold images, and is not read; paths as seen from there."""

    links: tuple[str, ...]  # to folders: they may lead in circles
    deep: tuple[str, ...]  # folders with images that lie too deep
    bare: tuple[str, ...]  # files in folders whose names have no suffix


def passed_over(root: Path) -> PassedOver:
    """What ``list_images`` leaves out and could be meant.

    Raises:
        FormatRefusedError: a folder cannot be read.
    """
    found: dict[str, list[str]] = {one.name: [] for one in fields(PassedOver)}
    for kind, name in _pass(root, ()):
        found[kind].append(name)
    return PassedOver(**{kind: tuple(sorted(names)) for kind, names in found.items()})


def _pass(folder: Path, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for entry in _entries(folder):
        name = "/".join((*above, entry.name))
        if entry.is_symlink():
            if os.path.isdir(entry.path):
                yield "links", name
        elif entry.is_dir():
            if len(above) < DEEPEST:
                yield from _pass(Path(entry.path), (*above, entry.name))
            elif holds_images(Path(entry.path)):
                yield "deep", name
        elif above and "." not in entry.name:
            yield "bare", name


def holds_images(folder: Path) -> bool:
    """Whether an image lies in this folder or below it.

    Raises:
        FormatRefusedError: a folder cannot be read.
    """
    return next(_walk(folder, ()), None) is not None


def _walk(
    folder: Path, above: tuple[str, ...], suffixes: tuple[str, ...] = IMAGE_SUFFIXES
) -> Iterator[tuple[str, ...]]:
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            if len(above) < DEEPEST:
                yield from _walk(Path(entry.path), (*above, entry.name), suffixes)
        elif entry.name.lower().endswith(suffixes):
            yield (*above, entry.name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Those of a folder that are the user's by their names."""
    try:
        with os.scandir(folder) as inside:
            return [entry for entry in inside if not is_hidden(entry.name)]
    except OSError as error:
        raise FormatRefusedError(
            "unreadable-folder", f"{folder} cannot be read ({error.strerror}): let this user read it, or move it away."
        ) from error


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, without links and hidden ones; none where it cannot be read."""
    try:
        with os.scandir(folder) as inside:
            found = [entry.name for entry in inside if entry.is_dir(follow_symlinks=False)]
        return sorted(name for name in found if not is_hidden(name))
    except OSError:
        return []


def split_folders(folder: Path) -> list[str]:
    """Names of the folders in a folder that are splits by their names; none without one of train.

    One alone that holds images itself, beside other folders of images, is a class: railway trains beside buses.
    """
    inside = subfolders(folder)
    names = [name for name in inside if name.lower() in SPLIT_FOLDERS]
    if not any(name.lower().startswith("train") for name in names):
        return []
    alone = folder / names[0]
    is_class = len(names) == 1 and has_images(alone) and not subfolders(alone)
    return [] if is_class and any(has_images(folder / name) for name in inside if name not in names) else names


def has_images(folder: Path) -> bool:
    """Whether an image lies directly in this folder."""
    return next(_images_in(folder), None) is not None


def image_names(folder: Path) -> list[str]:
    """Names of the images that lie directly in this folder; none where it cannot be read."""
    return sorted(_images_in(folder))


def _images_in(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as inside:
            for entry in inside:
                if entry.name.lower().endswith(IMAGE_SUFFIXES) and not is_hidden(entry.name):
                    yield entry.name
    except OSError:
        return


def is_hidden(name: str) -> bool:
    """Whether a file or folder is nothing of the user's by its name."""
    return name.startswith(".") or name.lower() in NOT_OURS


def is_of_masks(name: str) -> bool:
    """Whether a folder holds masks by its name: "masks", "lung_mask"."""
    return _OF_MASKS.fullmatch(name) is not None


def innermost(folder: Path) -> Path:
    """The folder inside, where it is all that a folder holds, as of an archive with a folder of its own; or itself."""
    for _ in range(DEEPEST):
        try:
            with os.scandir(folder) as inside:
                entries = [entry for entry in inside if not is_hidden(entry.name)]
        except OSError:
            return folder
        if len(entries) != 1 or not entries[0].is_dir(follow_symlinks=False):
            return folder
        folder = Path(entries[0].path)
    return folder


def found_in(folder: Path, name: str, *, masks: bool = False) -> str:
    """The one folder below, such as "images", that holds a file of this name; "" where ``folder`` itself does, or none,
    or several. ``masks``: those that are named as folders of masks are meant, and not all others.
    """
    if not name or os.pardir in name or is_file(folder, name):
        return ""
    inside = [one for one in subfolders(folder)[:MOST_SEARCHED] if is_file(folder / one, name)]
    meant = [one for one in inside if any(word in one.lower() for word in MASK_WORDS) == masks]
    return meant[0] if len(meant) == 1 else ""


def suffix_of(folder: Path, name: str, *, masks: bool = False) -> str:
    """What makes a name that of an image in ``folder`` or in one below, such as ".jpg"; "" where nothing does."""
    if not name or os.pardir in name or is_file(folder, name):
        return ""
    either = [suffix for each in (".jpg", ".jpeg", ".png") for suffix in (each, each.upper())]
    found = (one for one in either if is_file(folder, name + one) or found_in(folder, name + one, masks=masks))
    return next(found, "")


def is_file(folder: Path, name: str) -> bool:
    """Whether a file of this name lies there; False also where none can have such a name."""
    return os.path.isfile(os.path.join(folder, name))


def left_out(n: int, shape: str) -> tuple[str, ...]:
    """A sentence on the images that do not lie as ``shape`` says, where there are any."""
    return (f"{counted(n, 'image')} not placed as {shape} {is_or_are(n)} left out.",) if n else ()


def names_of(words: Iterable[str]) -> tuple[str, ...]:
    """The different words in alphabetical order."""
    return tuple(sorted(set(words)))


def numbered(words: pd.Series) -> pd.Series:
    """(N,) the place of each word among ``names_of`` them: they are names, also where they are digits.

    "3" may be the first of the classes 3, 5 and 7, and "2" comes behind "10".
    """
    return words.map({name: number for number, name in enumerate(names_of(words))})
