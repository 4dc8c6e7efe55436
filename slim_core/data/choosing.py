"""What people choose a data set by: the folders that images may be registered from, and the first rows of a table.

Links that lead out of these folders are neither shown nor followed, nor is SLIM_HOME, which holds no user's images.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from slim_core.data.checks.splits import holds_split_words
from slim_core.data.importers.csv_table import COMMON_NAMES, SUFFIXES, CsvTable, tables_in
from slim_core.data.importers.folders import IMAGE_SUFFIXES
from slim_core.data.importing import data_folder, find_importer
from slim_core.data.report import FormatRefusedError
from slim_core.data.tables import read_head
from slim_core.errors import PathRefusedError
from slim_core.settings import Settings
from slim_core.settings import settings as current_settings

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
        try:
            if not os.path.samestat(
                os.fstat(opened), settings.allowed(folder).stat()
            ):  # a link took its place just now
                raise PathRefusedError(f"{folder} was replaced while it was being read: open it again.")
            return _listed(folder, root, opened, settings, words.strip().casefold())
        finally:
            os.close(opened)
    except OSError as error:
        raise PathRefusedError(f"{folder} cannot be listed ({error.strerror}): choose another folder.") from error


def _listed(folder: Path, root: Path, opened: int, settings: Settings, words: str) -> Listing:
    with os.scandir(opened) as inside:
        entries = list(islice(inside, MOST_READ + 1))
    shown = [one for one in entries if _is_shown(one.name, words)]
    links = [one.name for one in shown if one.is_symlink()]
    folders = [one.name for one in shown if one.is_dir(follow_symlinks=False)]
    tables = [name for name in {one.name for one in shown} - {*links, *folders} if name.lower().endswith(SUFFIXES)]
    for path in _inside_roots(folder, links, settings):
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
        n_images=sum(one.name.lower().endswith(IMAGE_SUFFIXES) for one in entries),
        is_cut=len(entries) > MOST_READ,
    )


def _is_shown(name: str, words: str) -> bool:
    """Not a hidden one, nor one that is no text and can neither be shown nor typed."""
    return not name.startswith(".") and name.isprintable() and words in name.casefold()


def _inside_roots(folder: Path, links: list[str], settings: Settings) -> Iterator[Path]:
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


ROWS, LOOKED_AT = 5, 1_000  # rows that are shown, and by which columns are proposed
MOST_TABLES = 50  # tables of a folder that are offered


@dataclass(frozen=True)
class TablePreview:
    """What to choose columns by."""

    path: Path  # of the table that is shown
    files: tuple[str, ...]  # tables of the folder, this one first
    head: pd.DataFrame  # (ROWS at most, all columns), cells as text
    proposed: Mapping[str, str]  # role (a key of COMMON_NAMES) -> column


def preview(path: Path | str, *, file: str | None = None, settings: Settings | None = None) -> TablePreview | None:
    """Of a table, or of a folder that holds one or more; None where the folder is read in another form.

    Args:
        path: inside an allowed root.
        file: the table of the folder that is meant, where there are several.
        settings: the roots; this process's where not given.

    Raises:
        PathRefusedError: the path lies outside the allowed roots.
        FormatRefusedError: the table cannot be read.
    """
    place = data_folder((settings or current_settings()).allowed(path))
    files = _tables(place, file)
    if not files or not (_is_table(place) or file):
        return None
    head = read_head(files[0], LOOKED_AT).fillna("").astype(str)
    return TablePreview(files[0], tuple(one.name for one in files), head[:ROWS], _proposed(head))


def _tables(place: Path, file: str | None) -> list[Path]:
    if place.is_file():
        return [place] if place.name.lower().endswith(SUFFIXES) else []
    try:
        found = [one for one in tables_in(place) if not one.name.lower().endswith(".txt")]
    except OSError:  # not there, or not to be read: the check says so
        return []
    first = file or CsvTable().table_of(place)
    return sorted(found[:MOST_TABLES], key=lambda one: one.name != first)


def _is_table(place: Path) -> bool:
    """Whether it would be read as a table, or as nothing that is known."""
    try:
        return find_importer(place)[0].name == CsvTable.name
    except FormatRefusedError:
        return True


def _proposed(head: pd.DataFrame) -> dict[str, str]:
    """By common names, and the images and splits by what is in the cells."""
    lower = {str(column).lower(): str(column) for column in head.columns}
    by_name = {role: next((lower[name] for name in names if name in lower), "") for role, names in COMMON_NAMES.items()}
    by_name["path"] = by_name["path"] or next((name for name in head.columns if _names_images(head[name])), "")
    others = [name for name in head.columns if name not in by_name.values()]
    by_name["split"] = by_name["split"] or next((name for name in others if holds_split_words(head[name])), "")
    return {role: column for role, column in by_name.items() if column}


def _names_images(cells: pd.Series) -> bool:
    return bool(cells.str.lower().str.endswith(IMAGE_SUFFIXES).mean() > 0.5)
