"""Of which class the map of a wrong prediction is shown: often nothing in the image is evidence for its label.

Its map is empty then, and says nothing about why the model is wrong; the map of the class that was predicted does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.routes.images import open_maps
from app.ui.images.pictures import Markup, quiet
from slim_core.errors import NotFoundError
from slim_core.store.results import LABEL, PREDICTED


def class_of(record: Mapping[Any, Any], run: str | None, of: str = "") -> str:
    """LABEL; PREDICTED where the prediction is wrong, the label has no evidence, and the run kept both maps.

    ``record``: of slim_core.evaluation.predictions; ``of``: "_after" for the second model of a pair.
    """
    is_empty = record.get(f"no_evidence{of}") in (True,)  # absent or NaN where it is not known
    return PREDICTED if is_empty and not record[f"correct{of}"] and _has_predicted(run) else LABEL


def words(record: Mapping[Any, Any], shown: str, of: str = "") -> Markup:
    """What the picture shows, where it is not the map of the label."""
    return quiet(text(record, of)) if shown == PREDICTED else Markup("")


def text(record: Mapping[Any, Any], of: str = "") -> str:
    """As words, with nothing about them."""
    return f"where it looks for {record[f'prediction_name{of}']}"


def _has_predicted(run: str | None) -> bool:
    try:
        return run is not None and PREDICTED in open_maps(run).classes
    except NotFoundError:  # its files were removed
        return False
