"""Refits of the last layer by name: to add one, write its file and name it here. Light: no torch until one is fitted.

The rest of the network stays as it is; what is fitted takes pooled features, the inputs of the head (METHOD S10).
"""

from __future__ import annotations

from slim_core.data.groups import no_attribute
from slim_core.data.table import ImageTable
from slim_core.training.last_layer.answered import Answered
from slim_core.training.last_layer.dfr import Dfr
from slim_core.training.last_layer.jtt import Jtt
from slim_core.training.last_layer.l1 import L1
from slim_core.training.last_layer.l2 import L2
from slim_core.training.last_layer.refit import AnswerSource, Layer, PooledImages, Refit, RefitData

REFITS: dict[str, type[Refit]] = {
    "l1": L1,
    "l2": L2,
    "dfr": Dfr,
    "jtt": Jtt,
    "answered": Answered,
}

__all__ = ["REFITS", "AnswerSource", "Layer", "PooledImages", "Refit", "RefitData", "require_groups"]


def require_groups(refit: str, table: ImageTable) -> None:
    """Refuse a refit by groups where there are none.

    Raises:
        SpecRefusedError: the data set has no attribute.
    """
    if REFITS[refit].uses_groups() and not table.has_attributes:
        raise no_attribute(table, f"The refit {refit}", "refit")
