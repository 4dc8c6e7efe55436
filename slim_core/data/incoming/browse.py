"""What lies in the folders that images may be registered from: for choosing one without typing its path.

Links that lead out of these folders are neither shown nor followed, nor is SLIM_HOME, which holds no user's images.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from slim_core.data.importers.csv_table import SUFFIXES
from slim_core.data.importers.folders import IMAGE_SUFFIXES
from slim_core.errors import PathRefusedError
from slim_core.settings import Settings

MOST_READ = 100_000  # entries of a folder: about 0.1 s on a local disk
MOST_SHOWN = 200  # folders, and as many tables
MOST_LINKS = 1_000  # that are resolved


@dataclass(frozen=True)
class Entry:
    """A folder inside a folder."""

    path: Path
    is_readable: bool = True

    @property
    def name(self) -> str:
        """As it is shown."""
        return self.path.name


@dataclass(frozen=True)
class Listing:
    """One folder."""

    path: Path
    root: Path  # the allowed folder it lies in
    folders: tuple[Entry, ...]  # MOST_SHOWN at most, by name
    tables: tuple[Path, ...]  # files that may be a metadata table; so many too
    n_folders: int  # in all
    n_images: int  # by their names, whatever the words
    is_cut: bool  # it has more than MOST_READ entries, of which the others were not looked at

    @property
    def way(self) -> tuple[Path, ...]:
        """From the root to the folder itself."""
        below = self.path.relative_to(self.root).parts
        return tuple(self.root.joinpath(*below[:n]) for n in range(len(below) + 1))


def roots(settings: Settings) -> list[Entry]:
    """The allowed folders that are there, as far as this user is told."""
    found = dict.fromkeys(root.expanduser().resolve() for root in settings.data_roots)
    return [Entry(root, _is_readable(root)) for root in found if _may_be_there(root) and not _is_ours(root, settings)]


def browse(path: Path | str, settings: Settings, words: str = "") -> Listing:
    """A folder of the allowed ones; ``words``: only folders and tables that have them in their name.

    Raises:
        PathRefusedError: it lies outside of them, is gone, or may not be read; the sentence says which.
    """
    folder = settings.allowed(path)
    root = _root_of(folder, settings)
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise PathRefusedError(f"{folder} cannot be listed ({error.strerror}): choose another folder.") from error
    try:
        if not os.path.samestat(os.fstat(opened), settings.allowed(folder).stat()):  # a link took its place just now
            raise PathRefusedError(f"{folder} was replaced while it was being read: open it again.")
        return _listed(folder, root, opened, settings, words.strip().casefold())
    except OSError as error:
        raise PathRefusedError(f"{folder} cannot be listed ({error.strerror}): choose another folder.") from error
    finally:
        os.close(opened)


def _listed(folder: Path, root: Path, opened: int, settings: Settings, words: str) -> Listing:
    found = _Names()
    for entry in _entries(opened):
        found.take(entry, words)
    folders, tables = found.folders, found.tables
    for path in _inside(folder, found.links, settings):
        if path.is_dir():
            folders.append(path.name)
        elif path.name.lower().endswith(SUFFIXES):
            tables.append(path.name)
    home = settings.home.resolve()
    paths = [folder / name for name in sorted(folders, key=str.casefold) if folder / name != home]
    return Listing(
        folder,
        root,
        tuple(Entry(path, _is_readable(path)) for path in paths[:MOST_SHOWN]),
        tuple(folder / name for name in sorted(tables, key=str.casefold)[:MOST_SHOWN]),
        len(paths),
        found.n_images,
        is_cut=found.n_read > MOST_READ,
    )


class _Names:
    """What a folder's entries are, by their names and what the folder itself says of them."""

    def __init__(self) -> None:
        self.folders, self.tables, self.links = list[str](), list[str](), list[str]()
        self.n_images = self.n_read = 0

    def take(self, entry: os.DirEntry[str], words: str) -> None:
        self.n_read += 1
        name = entry.name
        self.n_images += name.lower().endswith(IMAGE_SUFFIXES)
        if name.startswith(".") or not name.isprintable() or words not in name.casefold():
            return  # a name that is no text can neither be shown nor typed
        if entry.is_symlink():
            self.links.append(name)
        elif entry.is_dir(follow_symlinks=False):
            self.folders.append(name)
        elif name.lower().endswith(SUFFIXES):
            self.tables.append(name)


def _entries(opened: int) -> Iterator[os.DirEntry[str]]:
    with os.scandir(opened) as found:
        yield from islice(found, MOST_READ + 1)


def _inside(folder: Path, links: list[str], settings: Settings) -> Iterator[Path]:
    """Those links that stay in the allowed folders and lead to something."""
    for name in sorted(links)[:MOST_LINKS]:
        try:
            target = settings.allowed(folder / name)
            if not _is_ours(target, settings) and target.exists():
                yield folder / name
        except (PathRefusedError, OSError):
            continue


def _root_of(folder: Path, settings: Settings) -> Path:
    """The innermost allowed folder it lies in.

    Raises:
        PathRefusedError: it lies in SLIM_HOME.
    """
    around = [root.path for root in roots(settings) if folder.is_relative_to(root.path)]
    if _is_ours(folder, settings) or not around:
        raise PathRefusedError(f"{folder} is where SLIM keeps its own files: choose a folder of images.")
    return max(around, key=lambda root: len(root.parts))


def _may_be_there(root: Path) -> bool:
    try:
        return root.is_dir()
    except PermissionError:  # of a folder above it
        return True


def _is_ours(path: Path, settings: Settings) -> bool:
    return path.is_relative_to(settings.home.resolve())


def _is_readable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
