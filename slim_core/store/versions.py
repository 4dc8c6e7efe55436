"""What was registered from the same folder before: how a table differs from it, and the splits that its images keep."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from slim_core.data.importing import SEED
from slim_core.data.table import ImageTable, changes, changes_in_words
from slim_core.errors import DataRefusedError, NotFoundError
from slim_core.store.datasets import Datasets


def news_of(datasets: Datasets, table: ImageTable) -> str:
    """How a table differs from the newest version of it, in a sentence; "" where it is the first."""
    for version in datasets.versions_at(table.root, table.name)[:1]:
        same = version.fingerprint == table.fingerprint
        found = "unchanged since" if same else f"now {changes_in_words(changes(datasets.table_of(version), table))}"
        return f"Registered as {version.name} {version.id} on {version.created_at:%Y-%m-%d}; {found}."
    return ""


def splits_before(datasets: Datasets, root: Path, name: str, seed: int) -> dict[str, str]:
    """Path -> split of the newest version, for ``importing.import_asked``: made splits are dealt out once.

    {} where there is none, its table is gone, or another seed was asked for, which deals all images anew.
    """
    for version in datasets.versions_at(root, name)[:1]:
        if str(version.report.get("options", {}).get(SEED) or "0") == str(seed):
            with suppress(NotFoundError, DataRefusedError):
                table = datasets.kept_table(version)
                return dict(zip(table.frame["path"], table.splits, strict=True))
    return {}
