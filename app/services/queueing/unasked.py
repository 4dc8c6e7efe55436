"""What asks nobody, beside a result: where it does as well, the answers were not needed.

For a whole network just train twice (JTT), for a last layer a subset that takes all attention to be wrong: they have
the best means of the methods without answers and groups in our studies (docs/decisions/0014).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app import session
from app.services import actions
from app.services.queueing import evaluating, retraining
from app.services.queueing.retraining import trained_by
from slim_core.curation.options import SLIM
from slim_core.runs.baselines import best_on_validation, jtt_first, jtt_second
from slim_core.runs.trainings import CHECKSUM, rests_on_probe, retrain_spec, taken_over, without_answers
from slim_core.steps.train.recipes import jtt_grid

if TYPE_CHECKING:
    from app.services.loop_state import Result
    from slim_core.store import Run

ALL_WRONG = {"environments": "both", "presumed": 0.0}
_OF_ANSWERS = ("campaign", "answers_seq")  # of a curate spec


@dataclass(frozen=True)
class Unasked:
    """``name``: as a sentence begins; ``action``: as a button says it; ``about``: what it takes."""

    name: str
    action: str
    about: str


_JTT = Unasked(
    "Just train twice (JTT), which asks nobody,",
    "Just train twice (JTT)",
    "Two short trainings and, for each, one to convergence in which its errors are seen more often; validation chooses "
    "one. It uses no answers and no groups.",
)
_ALL_WRONG = Unasked(
    "A subset without answers, which takes all attention to be wrong,",
    "Curate without answers",
    "A subset of the same size that takes all attention to be wrong, and a last layer retrained on it.",
)


def method_for(reference: Run) -> Unasked:
    """What stands beside a result of this reference model."""
    return _ALL_WRONG if rests_on_probe(session.store(), reference) else _JTT


def is_of(model: Run, subset: Run | None, result: Result) -> bool:
    """Whether a model, of a subset where it has one, is what asks nobody beside the result; of any seed."""
    spec: Mapping[str, Any] = model.spec
    if not rests_on_probe(session.store(), result.reference):
        of_reference = taken_over(result.reference.spec)
        same_images = all(spec.get(name) == of_reference[name] for name in of_reference.keys() - {CHECKSUM})
        return spec.get("subset") is None and spec.get("objective") == "jtt" and same_images
    if subset is None or result.subset is None or spec.get("mode") != "last-layer":
        return False
    asked, of_result = subset.spec, result.subset.spec
    is_as_large = all(asked.get(name) == of_result.get(name) for name in ("space", "size"))
    is_unasked = asked.get("strategy") == SLIM and asked.get("campaign") is None
    fitted = _fitted(result)
    is_alike = fitted is None or trained_by(model) == without_answers(trained_by(fitted))
    return is_as_large and is_unasked and is_alike and ALL_WRONG.items() <= asked.get("options", {}).items()


def is_itself(result: Result) -> bool:
    """Whether the model of a result is what asks nobody."""
    return result.model is not None and is_of(result.model, result.subset, result)


def save(result: Result) -> list[Run]:
    """Save what leads to it, and its evaluation on the images and in the groups of the result (needs lead).

    ``result``: a pair. Returns the evaluations, which end last; of JTT one for each of its settings.
    """
    assert result.subset is not None and result.model is not None and result.after is not None  # it is a pair
    seed, reference = int(result.model.spec["seed"]), result.reference
    fitted = _fitted(result)
    fields = None if fitted is None else {"reference": fitted.spec["reference"], **without_answers(trained_by(fitted))}
    of_probe = rests_on_probe(session.store(), reference)
    models = [_by_all_wrong(result.subset, seed, fields)] if of_probe else _by_jtt(reference, seed)
    return [evaluating.save_on_groups_of(result.after, model) for model in models]


def chosen(evaluations: Sequence[Run]) -> Run:
    """The one whose model validation chooses, of the finished evaluations that ``save`` has queued."""
    trained = {one.spec["model"]: one for one in evaluations}
    known = session.store().runs.all(kind="train", dataset=evaluations[0].dataset_id)
    models = [run for run in known if run.id in trained]  # others were deleted
    return trained[best_on_validation(models).id] if models else evaluations[-1]


def _fitted(result: Result) -> Run | None:
    """The model of the result where it is a last layer: what stands beside it is fitted so without answers."""
    model = result.model
    return model if model is not None and model.spec["mode"] == "last-layer" else None


def _by_all_wrong(subset: Run, seed: int, fields: dict[str, Any] | None) -> Run:
    without, _ = actions.save(_without_answers(subset), name="Subset without answers")
    return retraining.save_model(without, "last-layer", seed, fields=fields)


def _without_answers(subset: Run) -> dict[str, Any]:
    """The spec of a subset as large, of the same space, that takes all attention to be wrong."""
    kept = {name: value for name, value in subset.spec.items() if name not in _OF_ANSWERS}
    return kept | {"strategy": SLIM, "options": {**subset.spec.get("options", {}), **ALL_WRONG}}


def _by_jtt(reference: Run, seed: int) -> list[Run]:
    def saved(name: str, fields: dict[str, Any]) -> Run:
        return actions.save(retrain_spec(reference, None, "scratch", seed, fields), name=name)[0]

    firsts = [(saved(*jtt_first(epochs)), upweight) for epochs, upweight in jtt_grid(reference.spec["model"])]
    return [saved(*jtt_second(first, upweight)) for first, upweight in firsts]
