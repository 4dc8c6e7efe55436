"""What a person may not register, however its path is written: files of data sets that they are not shown.

Files are compared by what they are, not by their names, so that no link or second spelling gets around it. Of SLIM_HOME
only the folders of images count as data: what runs and campaigns have left there is no one's to register.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from slim_core.data.incoming.packed import IMPORTED, UPLOADS
from slim_core.errors import PathRefusedError

DATA_OF_HOME = (UPLOADS, IMPORTED, "demo-data")  # folders of SLIM_HOME that hold images
Files = Sequence[str]


def require_open(
    asked: Path | str,
    files: Files,
    home: Path,
    hidden: Sequence[Callable[[], Files]],
    shown: Sequence[Callable[[], Files]],
) -> None:
    """Refuse what belongs to ``hidden`` data sets alone, or to SLIM_HOME.

    Args:
        asked: the folder or file that was named, for the sentence.
        files: all that would be registered, or shown before.
        hidden: the files of each data set that the person is not shown, read where they are needed.
        shown: of each that they are: its files are no secret, whoever has registered them as well.

    Raises:
        PathRefusedError: without saying which, or why.
    """
    if any(_is_of_home(folder, home) for folder in {str(asked), *map(os.path.dirname, files)}):
        raise not_allowed(asked)
    if not hidden:
        return
    found = set(_identities([str(asked), *files]))
    theirs = {one for each in hidden for one in _identities(each())} & found
    for each in shown:
        if not theirs:
            return
        theirs -= set(_identities(each()))
    if theirs:
        raise not_allowed(asked)


def not_allowed(asked: Path | str) -> PathRefusedError:
    """The same for every reason: whose it is, or whether it is anybody's, is no business of who asks."""
    return PathRefusedError(f"{asked} is not allowed: choose another folder or file, or ask an admin.")


def _is_of_home(folder: str, home: Path) -> bool:
    """Whether a folder is SLIM_HOME or lies in it, and not in what holds images."""
    try:
        below = Path(os.path.realpath(folder)).relative_to(os.path.realpath(home))
    except ValueError:
        return False
    return below.parts[:1] not in {(name,) for name in DATA_OF_HOME}


def _identities(files: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Device and inode of those files that are there."""
    for file in files:
        try:
            about = os.stat(file)
        except (OSError, ValueError):
            continue
        yield about.st_dev, about.st_ino
