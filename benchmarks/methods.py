"""Ablations of the studies: methods that take one thing away from those of the product. Importing it registers them."""

from __future__ import annotations

from slim_core.curation.data import SLIM
from slim_core.runs.methods import METHODS, Method, by_strategy, register

_SLIM = METHODS["slim"].paper
ABLATIONS = {
    "slim-subset-only": Method(
        "SLIM, answers only in the subset",
        _SLIM,
        ("answers",),
        by_strategy(SLIM),
        unanswered="slim-no-answers",
        is_drawn=True,
    ),
    "slim-all-wrong": Method(
        "SLIM without answers, all attention assumed wrong",
        _SLIM,
        (),
        by_strategy(SLIM, is_answered=False, options={"environments": "answers", "presumed": 0.0}),
        is_drawn=True,
    ),
    "class-balanced-subset": Method("Class-balanced subset", "", (), by_strategy("class-balanced"), is_drawn=True),
}
for _name, _method in ABLATIONS.items():
    register(_name, _method)
