"""What a run can be: its states and kinds, as the sets that are asked for, and the name of one that nobody names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORKING = ("running", "stopping")  # a worker has it
ACTIVE = ("queued", *WORKING)  # something may still happen to it by itself
UNFINISHED = ("failed", "canceled")  # it ended without a result, and may be retried
ENDED = ("done", *UNFINISHED)
LIVE = (*ACTIVE, "done")  # it is offered instead of a second run with the same spec
STOPPABLE = ("queued", "running")  # it can still be asked to stop
PARTLY_DONE = ("queued", *UNFINISHED)  # what a run is while only some of its shards are done
CAN_BE_PARENT = ("queued", "running", "done")  # a new run may be made from it


def label_of(status: str) -> str:
    """A status as people read it."""
    return "stopped" if status == "canceled" else status


TITLES = {
    "train": "Training",
    "gradcam": "Attention maps",
    "preview": "Preview of attention",
    "space": "Attention space",
    "candidates": "Candidates",
    "curate": "Subset",
    "evaluate": "Evaluation",
}
PASSES = ("gradcam",)  # features of each image: a space is built of them, a last layer fitted on them
WITH_MAPS = ("gradcam", "evaluate")  # attention maps of each image of a split, unless it was asked for none


def title_of(kind: str) -> str:
    """What people call a run of this kind: "Attention maps"; the kind itself where none is written here."""
    return TITLES.get(kind, kind)


RESTS_ON = ("subset", "reference", "model", "attention", "space")  # roles of a parent: the first there is, is named
MOST = 80  # characters of that parent's name
TOLD_BY = ("strategy", "split")  # fields that are in the name as they are


def default_name(spec: Mapping[str, Any], dataset: str, rests_on: str | None) -> str:
    """ "Training on digits: small-resnet, seed 1", or "Attention space on digits: small-resnet, seed 1, train".

    ``spec``: as a run keeps it; ``dataset``: its name; ``rests_on``: the name of the run it reads, if it reads one.
    """
    facts = [_described(rests_on)] if rests_on else []
    if spec["kind"] == "train" and not facts:
        facts.append(spec["model"].rpartition(":")[2])  # of a network of one's own without its module
    facts += [str(spec[field]) for field in TOLD_BY if spec.get(field)]
    seed = f"seed {spec['seed']}"
    if (spec["kind"] == "train" or spec["seed"]) and not any(seed in fact.split(", ") for fact in facts):
        facts.append(seed)
    of = f": {', '.join(facts)}" if facts else ""
    return f"{title_of(spec['kind'])} on {dataset}{of}"


def is_default(name: str, kind: str) -> bool:
    """Whether a run of this kind has a name that nobody gave it: with other fields it would have another one.

    A name that somebody gave lacks the facts behind a colon.
    """
    return name.startswith(f"{title_of(kind)} on ") and ": " in name


def _described(name: str) -> str:
    """What tells the run of this name from others: of a default name what follows its step and data set."""
    _, colon, facts = name.partition(": ")
    found = facts if colon and any(is_default(name, kind) for kind in TITLES) else name
    return found if len(found) <= MOST else f"{found[: MOST - 1]}…"
