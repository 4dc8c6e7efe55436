"""What people made themselves goes before what studies made: pages open on it, and boxes begin with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from app import session

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run

T = TypeVar("T", "Run", "Campaign")


def studies_last(items: Iterable[T], dataset: str) -> list[T]:
    """Runs or campaigns of a data set, those of studies last; else in the order given."""
    made = session.store().studies.made(dataset)
    return sorted(items, key=lambda one: one.id in made)
