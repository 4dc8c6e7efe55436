"""What a finished evaluation found: its predictions, its slices, the run that kept its maps. Read once, then kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from app import session
from slim_core.errors import NotFoundError
from slim_core.evaluation import predictions, slices, two_models
from slim_core.result_files import PREDICTIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slim_core.evaluation.ancestry import Ancestry
    from slim_core.evaluation.slices import Slices
    from slim_core.store import Run, Store


def predictions_of(evaluation: Run) -> pd.DataFrame:
    """slim_core.evaluation.predictions of a finished evaluation; read only, for it is shared."""
    return _predictions(session.store(), evaluation.id)


@lru_cache(maxsize=16)
def _predictions(store: Store, evaluation: str) -> pd.DataFrame:
    return predictions.predictions(store, store.runs.fetch(evaluation))


def outcomes_of(before: Run, after: Run) -> NDArray[np.int64] | None:
    """slim_core.evaluation.two_models.outcomes_of, read once while its files stay as they are; read only, shared.

    None also where one was deleted.
    """
    try:
        return _outcomes(session.store(), *((one.id, _version(one)) for one in (before, after)))
    except (NotFoundError, FileNotFoundError):
        return None


@lru_cache(maxsize=16)
def _outcomes(
    store: Store, before: tuple[str, tuple[int, int]], after: tuple[str, tuple[int, int]]
) -> NDArray[np.int64] | None:
    return two_models.outcomes_of(store, *(store.runs.fetch(run) for run, _ in (before, after)))


def _version(evaluation: Run) -> tuple[int, int]:
    """The version of its file of predictions: another one where it was written anew."""
    found = (session.store().artifacts.folder(evaluation.id) / PREDICTIONS).stat()
    return found.st_mtime_ns, found.st_size


def slices_of(evaluation: Run, ancestry: Ancestry) -> Slices:
    """slim_core.evaluation.slices of a finished evaluation, found once: clustering takes a moment."""
    return _slices(session.store(), evaluation.id, ancestry)


@lru_cache(maxsize=16)
def _slices(store: Store, evaluation: str, ancestry: Ancestry) -> Slices:
    return slices.slices_of(store, store.runs.fetch(evaluation), ancestry)


def maps_of(evaluation: Run, ancestry: Ancestry) -> str | None:
    """The run that kept the attention maps of the evaluated images; None where no run did."""
    return session.store().lineage.maps_of(evaluation, ancestry.runs.values())
