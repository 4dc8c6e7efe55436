"""The candidates of a plan on the space, before the campaign is opened."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.annotate import charts
from app.services.results.space_data import SpaceData
from app.ui import chart
from app.ui.images import pictures
from slim_core.annotation.plan import Candidates, Plan, candidates
from slim_core.data.groups import unique_names
from slim_core.store.results import SpaceResult

FIRST = 12  # images shown, in the order in which they are asked


def show(data: SpaceData, plan: Plan) -> None:
    """Plot and first images.

    Raises:
        SpecRefusedError: the plan asks for what cannot be given.
    """
    found = _candidates(_Key(plan))
    points = SpaceResult(session.store().artifacts.folder(data.run)).points()
    names = np.asarray(data.table.label_names)[found.labels]
    chosen = pd.DataFrame(points[found.positions], columns=["x", "y"])
    classes = pd.Categorical.from_codes(found.labels, pd.Index(unique_names(data.table.label_names)))
    chosen["class"], chosen["place"], chosen["row"] = classes, np.arange(1, len(names) + 1), found.rows
    figure = charts.candidates(pd.DataFrame(points, columns=["x", "y"]), chosen)
    alt = "The candidates on the attention space"
    chart.show(figure, key="campaign-preview-plot", alt=alt)
    st.caption(f"The first {min(FIRST, len(names))} in the order in which they are asked:")
    rows = found.rows[:FIRST].tolist()
    captions = names[:FIRST].tolist()
    pictures.strip(data.dataset, rows, captions, data.maps)


class _Key:
    """A plan as a key of the cache: only what decides about the images, and the answers they are chosen by."""

    def __init__(self, plan: Plan) -> None:
        seq = session.store().answers.last_seq(plan.earlier) if plan.earlier else 0
        budgets = tuple(sorted(plan.budgets.items()))
        self.plan, self._key = plan, (plan.space, budgets, plan.choice, plan.earlier, plan.selection, plan.seed, seq)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._key == other._key


@lru_cache(maxsize=8)
def _candidates(key: _Key) -> Candidates:
    return candidates(session.store(), key.plan)
