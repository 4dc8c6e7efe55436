"""Paths of images and masks: inside the data set's folder or the allowed roots, before any file is opened."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from slim_core.data.draft import Draft
from slim_core.data.report import Findings
from slim_core.errors import quoted
from slim_core.formatting import counted
from slim_core.settings import Settings


def check_paths(paths: pd.Series, draft: Draft, settings: Settings, findings: Findings, what: str = "image") -> None:
    """Refuse names that leave the data set's folder, and absolute ones outside the allowed roots.

    ``paths`` is indexed by row. Links among the folders are followed here, links among the files when they are read.
    """
    names, rows = paths.to_numpy(str), paths.index.to_numpy(np.int64)
    empty = rows[np.char.strip(names) == ""]
    if len(empty):
        findings.error(
            "paths",
            f"{counted(len(empty), 'row')} of {draft.source} name{'s' if len(empty) == 1 else ''} no {what} "
            f"({findings.where(empty)}): fill {'it' if len(empty) == 1 else 'them'} in.",
            empty,
        )
    if _report_addresses(names, rows, what, draft, findings):
        return
    allowed: dict[str, bool] = {}
    inside = np.array([_inside(str(path), draft.root, settings, allowed) for path in names], bool)
    outside = rows[~inside]
    if len(outside):
        findings.error(
            "path-escape",
            f"{len(outside):,} {what} paths of {draft.source} lead out of {draft.root}, such as "
            f"{quoted(str(names[~inside][0]))} ({findings.where(outside)}): move the files inside it, "
            f"or name absolute paths inside the folders of SLIM_DATA_ROOTS.",
            outside,
        )


def _report_addresses(names: np.ndarray, rows: np.ndarray, what: str, draft: Draft, findings: Findings) -> bool:
    """Whether there are names that no file here can have: addresses of the web, and paths of Windows."""
    foreign = pd.Series(names).str.match(r"(?i)[a-z]:[\\/]|[a-z0-9+]{2,10}://").to_numpy(bool)
    if foreign.any():
        findings.error(
            "addresses",
            f"{foreign.sum():,} {what} paths of {draft.source} point to another machine, such as "
            f"{quoted(str(names[foreign][0]))} ({findings.where(rows[foreign])}): copy the files here, and write "
            "paths relative to the table.",
            rows[foreign],
        )
    return bool(foreign.any())


def _inside(path: str, root: Path, settings: Settings, allowed: dict[str, bool]) -> bool:
    """``allowed``: what was found of the folders so far, for a million of paths lie in some hundred folders."""
    if os.pardir in path or path.startswith(os.sep):
        return _leads_inside(path, root, settings)
    folder = path.rpartition(os.sep)[0]
    if folder not in allowed:
        allowed[folder] = _leads_inside(path, root, settings)
    return allowed[folder]


def _leads_inside(path: str, root: Path, settings: Settings) -> bool:
    if not os.path.isabs(path) and os.path.normpath(path).split(os.sep)[0] == os.pardir:
        return False
    # Links followed: "link/.." leads to where the link does.
    return settings.allows(os.path.join(root, os.path.dirname(path)))
