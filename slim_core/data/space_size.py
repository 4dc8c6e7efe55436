"""How many images of a split an attention space needs: said at the import, and of a space that is asked for."""

from __future__ import annotations

from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError
from slim_core.formatting import counted

SMALLEST_SPACE = 10  # images below which neighbours mean nothing


def is_too_small(table: ImageTable, split: str) -> bool:
    """Whether a split has too few images for a space."""
    return len(table.rows(split)) < SMALLEST_SPACE


def require_for_space(table: ImageTable, split: str) -> None:
    """Refuse a space of too few images.

    Raises:
        SpecRefusedError: the split has fewer than SMALLEST_SPACE images.
    """
    if is_too_small(table, split):
        images = counted(len(table.rows(split)), f"{split} image")
        raise SpecRefusedError(f"{table.name} has {images}: an attention space needs at least {SMALLEST_SPACE}.")
