"""Images listed by the folders they lie in: what every form without metadata is read from; and a folder for each class.

``train/cat/1.jpg`` (torchvision's ImageFolder), or ``cat/1.jpg`` without splits. As in torchvision, images may lie in
folders below that of their class: ``cat/patient-7/1.jpg`` is of the class cat.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from slim_core.data.checks.splits import SPLIT_WORDS
from slim_core.data.draft import Draft
from slim_core.data.report import FormatRefusedError
from slim_core.formatting import counted, first_few, is_or_are

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


def linked_folders(root: Path) -> list[str]:
    """The folders below that are links, as seen from there: not followed, for they may lead in circles.

    Raises:
        FormatRefusedError: a folder cannot be read.
    """
    return sorted(_links(root, ()))


def _links(folder: Path, above: tuple[str, ...]) -> Iterator[str]:
    for entry in _entries(folder):
        if entry.is_symlink():
            if os.path.isdir(entry.path):
                yield "/".join((*above, entry.name))
        elif entry.is_dir() and len(above) < DEEPEST:
            yield from _links(Path(entry.path), (*above, entry.name))


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


UNIT, FOLDER = "unit", "folder"  # the option, and its value
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
                *_not_followed(path),
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
        f"{first['path']} of {first['label']}."
    )
    if may_part:
        notes.append(
            "Images of one folder inside a class may come into different splits: where each is a patient, a video or "
            f"an object, give the format image-folder the option {UNIT}={FOLDER}."
        )
    return tuple(notes)


def _not_followed(path: Path) -> tuple[str, ...]:
    links = linked_folders(path)
    are = "is a link and is" if len(links) == 1 else "are links and are"
    said = f"{counted(len(links), 'folder')} {are} not followed: {first_few(links)}. Only images below {path} are read."
    return (said,) if links else ()


def _unread(path: Path) -> tuple[str, ...]:
    unread = unread_images(path)
    return (f"There are {unread}, or they are left out.",) if unread else ()


def _left_masks(n: int) -> tuple[str, ...]:
    left_out = f"{counted(n, 'image')} in folders named as masks {is_or_are(n)} left out"
    return (f"{left_out}: to use them, name the mask of each image in a table.",) if n else ()
