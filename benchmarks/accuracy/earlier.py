"""Methods that the code had: their rows are kept and shown, and computed again only where it still has them."""

from __future__ import annotations

from collections.abc import Mapping

EARLIER: Mapping[str, str] = {  # name -> what a table calls it
    "afr-train-fifth": "AFR, on a fifth of train",
    "xrm-train": "XRM and a balanced last layer, on train",
    "self-train-fifth": "SELF, on a fifth of train",
    "class-balanced-last-layer": "Class-balanced last layer, on validation",
    "subg": "Group subsampling (SUBG)",
    "dfr-train-fifth": "DFR, on a fifth of train",
    "slim-once": "SLIM, classes balanced once, in a fifth of the images",
    "slim-no-answers-on-validation": "SLIM without answers, attention assumed right or wrong as validation says",
    "slim-on-validation": "SLIM with answers or without, as validation says",
}
USED_ANSWERS = frozenset({"slim-once", "slim-on-validation"})
