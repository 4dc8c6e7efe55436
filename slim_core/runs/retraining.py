"""How a model is retrained on a subset: three ways, what it takes over from its reference, and what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from slim_core.curation import default_subset_size
from slim_core.curation.options import SLIM
from slim_core.errors import SpecRefusedError
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import OF_IMAGES, Option, TrainSpec, is_probe, refits

if TYPE_CHECKING:
    from slim_core.store import Run, Store

Retrain = Literal["scratch", "reference", "last-layer"]

CHECKSUM = "checkpoint_sha256"
FROM_REFERENCE = ("model", "weights", "checkpoint", CHECKSUM, *OF_IMAGES)  # fields that a retraining takes over
REFIT: dict[str, Any] = {"refit": "l2"}  # of a frozen network
PROBE: dict[str, Any] = {"mode": "last-layer", **REFIT}


def retrained_name(spec: TrainSpec, subset: Run | None) -> str:
    """What a model retrained on a subset, or on all of train, in this way is called where nobody names it."""
    way = f"last layer by {spec.refit}" if spec.mode == "last-layer" else f"from {spec.start}"
    return f"Retrained on {subset.spec['strategy'] if subset else 'all of train'} ({way}), seed {spec.seed}"


def retrain_spec(
    reference: Run, subset: Run | None, retrain: Retrain, seed: int, fields: dict[str, Any] | None = None
) -> TrainSpec:
    """The spec that retrains the reference's architecture on a subset, one of three ways, or its last layer without.

    ``fields``: of TrainSpec; they go before those that the reference gives.
    """
    fields = fields or {}
    common = {"dataset": reference.spec["dataset"], **taken_over(reference.spec)}
    if retrain == "last-layer" and is_probe(reference.spec) and "refit" not in fields:
        common |= {name: value for name, value in reference.spec.items() if name in ("refit", "refit_options")}
    how: dict[str, Any] = {
        "scratch": {},
        "reference": {"start": "reference", "reference": reference.id},
        "last-layer": {"mode": "last-layer", "reference": reference.id},
    }[retrain]
    spec = parse_spec(
        {"kind": "train", **common, **how, "subset": subset.id if subset else None, "seed": seed, **fields}
    )
    assert isinstance(spec, TrainSpec)
    return spec


def usual_curation(n: int, strategy: str = SLIM, *, of_probe: bool) -> tuple[int, dict[str, Option]]:
    """Images of a subset of ``n``, and options of its strategy, where nobody says.

    ``of_probe``: the reference is a new last layer of a pretrained network. Half of the images and, by slim, classes
    that are balanced twice are then far better than what whole networks get (docs/decisions/0046).
    """
    if not of_probe:
        return default_subset_size(n), {}
    return max(1, n // 2), {"environments": "both"} if strategy == SLIM else {}


def usual_curation_of(store: Store, space: Run, strategy: str = SLIM) -> tuple[int, dict[str, Option]]:
    """``usual_curation`` of a space's images of train; that of a whole network where its reference was deleted."""
    n = len(store.datasets.table(space.dataset_id).rows("train"))
    try:
        of_probe = rests_on_probe(store, store.lineage.reference_of(space))
    except SpecRefusedError:
        of_probe = False
    return usual_curation(n, strategy, of_probe=of_probe)


def rests_on_probe(store: Store, model: Run) -> bool:
    """Whether a model is a new last layer of a pretrained network, or refits one: nobody trained the layers below it.

    Where what it refits was deleted, they count as trained.
    """
    below: Run | None = model
    while below is not None and refits(below.spec):
        below = store.runs.find(below.spec["reference"])
    return below is not None and is_probe(below.spec)


def usual_way(store: Store, reference: Run) -> Retrain:
    """How a model is retrained where nobody says: of a pretrained network that nobody trained, its last layer alone."""
    return "last-layer" if rests_on_probe(store, reference) else "reference"


def taken_over(reference: Mapping[str, Any]) -> dict[str, Any]:
    """What a retraining takes over from the spec of its reference model; of one trained elsewhere not its weights."""
    checkpoint = dict.fromkeys(("checkpoint", CHECKSUM)) if reference.get("mode") == "registered" else {}
    return {name: reference.get(name) for name in FROM_REFERENCE} | checkpoint
