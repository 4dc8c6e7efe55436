"""The attention spaces of two models side by side, made once: finished spaces never change."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from app import session
from slim_core.evaluation.charts.space import spaces_scatter
from slim_core.evaluation.space_frame import compared_frames

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from slim_core.store import Store


def figure(spaces: tuple[str, ...], titles: tuple[str, ...]) -> go.Figure:
    """The spaces of finished space runs, coloured by group; read only, for it is shared.

    Raises:
        NotFoundError: the files of one, or of the attention it was made from, were removed.
    """
    return _figure(session.store(), spaces, titles)


@lru_cache(maxsize=2)  # a figure of 100,000 images takes some 50 MB
def _figure(store: Store, spaces: tuple[str, ...], titles: tuple[str, ...]) -> go.Figure:
    return spaces_scatter(compared_frames(store, [store.runs.fetch(one) for one in spaces]), titles, "group")
