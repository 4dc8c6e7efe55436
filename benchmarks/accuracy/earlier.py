"""Methods that the code had: their rows are kept and shown, and computed again only where it still has them."""

from __future__ import annotations

from collections.abc import Mapping

EARLIER: Mapping[str, str] = {  # name -> what a table calls it
    "erm-converged": "ERM, converged",
    "rwy": "Class-balanced sampling (RWY)",
    "afr-train-fifth": "AFR, on a fifth of train",
    "xrm-train": "XRM and a balanced last layer, on train",
    "self-train-fifth": "SELF, on a fifth of train",
    "class-balanced-last-layer": "Class-balanced last layer, on validation",
    "class-balanced-subset": "Class-balanced subset",
    "group-dro-environments": "GroupDRO on class x environment",
    "subg": "Group subsampling (SUBG)",
    "dfr-train-fifth": "DFR, on a fifth of train",
    "slim-once": "SLIM, classes balanced once, in a fifth of the images",
    "slim-all-wrong": "SLIM without answers, all attention taken to be wrong",
    "slim-no-answers-on-validation": "SLIM without answers, attention taken to be right or wrong as validation says",
    "slim-subset-only": "SLIM, answers only in the subset",
    "slim-on-validation": "SLIM with answers or without, as validation says",
}
USED_ANSWERS = frozenset({"group-dro-environments", "slim-once", "slim-subset-only", "slim-on-validation"})
