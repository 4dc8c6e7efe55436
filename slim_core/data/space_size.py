"""How many images of a split an attention space needs: said at the import, and of a space that is asked for."""

from __future__ import annotations

from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError
from slim_core.percent import counted

SMALLEST_SPACE = 10  # images below which neighbours mean nothing


def require_for_space(table: ImageTable, split: str) -> None:
    """Refuse a space of too few images.

    Raises:
        SpecRefusedError: so.
    """
    n = len(table.rows(split))
    if n < SMALLEST_SPACE:
        raise SpecRefusedError(
            f"{table.name} has {counted(n, f'{split} image')}: an attention space needs at least {SMALLEST_SPACE}."
        )
