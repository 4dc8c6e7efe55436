"""What a finished evaluation found: its predictions, its slices, the run that kept its maps. Read once, then kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from app import session
from slim_core.evaluation import predictions, slices

if TYPE_CHECKING:
    from slim_core.evaluation.ancestry import Ancestry
    from slim_core.evaluation.slices import Slices
    from slim_core.store import Run, Store


def predictions_of(evaluation: Run) -> pd.DataFrame:
    """slim_core.evaluation.predictions of a finished evaluation; read only, for it is shared."""
    return _predictions(session.store(), evaluation.id)


@lru_cache(maxsize=16)
def _predictions(store: Store, evaluation: str) -> pd.DataFrame:
    return predictions.predictions(store, store.runs.fetch(evaluation))


def slices_of(evaluation: Run, ancestry: Ancestry) -> Slices:
    """slim_core.evaluation.slices of a finished evaluation, found once: clustering takes a moment."""
    return _slices(session.store(), evaluation.id, ancestry)


@lru_cache(maxsize=16)
def _slices(store: Store, evaluation: str, ancestry: Ancestry) -> Slices:
    return slices.slices_of(store, store.runs.fetch(evaluation), ancestry)


def maps_of(evaluation: Run, ancestry: Ancestry) -> str | None:
    """The run that kept the attention maps of the evaluated images; None where no run did."""
    return session.store().lineage.maps_of(evaluation, ancestry.runs.values())
