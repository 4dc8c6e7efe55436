"""The answers of a campaign as steps read them, and whether they are about the network that is refitted. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.data.table import Split
from slim_core.errors import AnswersRefusedError, NotFoundError, SpecRefusedError
from slim_core.steps.specs import TrainSpec, refitted_model
from slim_core.store.campaigns.consensus import UNSURE
from slim_core.store.results import AttentionResult, ModelResult
from slim_core.store.runs.rows import PASSES
from slim_core.training.last_layer import AnswerSource, no_region

if TYPE_CHECKING:
    from slim_core.store import Store
    from slim_core.store.runs.rows import Run

Answers = NDArray[np.int8]


def given_answers(store: Store, campaign: str, seq: int | None) -> tuple[NDArray[np.int64], Answers]:
    """(rows (m,), values (m,)) of the answers up to ``seq``, or of all."""
    return store.answers.snapshot(campaign, store.answers.last_seq(campaign) if seq is None else seq)


def require_answers(campaign: str, values: Answers) -> None:
    """Refuse where nobody has said right or wrong.

    Raises:
        AnswersRefusedError: there is no answer, or each is unsure.
    """
    if not len(values):
        raise AnswersRefusedError(
            f"Campaign {campaign} has no answer yet that says right or wrong: answer some images first "
            f"(Annotate page, or slim answer)."
        )
    if not (values >= 0).any():
        raise AnswersRefusedError(
            f"All {len(values)} answers of campaign {campaign} are unsure, none says right or wrong: answer more of "
            f"its images (Annotate page, or slim answer)."
        )


def aligned(
    campaign: str, answered: NDArray[np.int64], values: Answers, space: str, rows: NDArray[np.int64]
) -> Answers:
    """(n,) 1 right, 0 wrong, -1 unsure or not asked, in the order of a space's rows (n,).

    Raises:
        AnswersRefusedError: an answer is about an image that is not in the space.
    """
    where = {int(row): position for position, row in enumerate(rows)}
    foreign = [int(row) for row in answered if int(row) not in where]
    if foreign:
        raise AnswersRefusedError(
            f"Campaign {campaign} has answers for rows {foreign[:5]} that are not in space {space}: "
            f"take the space the campaign was made from."
        )
    answers = np.full(len(rows), UNSURE, np.int8)
    answers[[where[int(row)] for row in answered]] = values
    return answers


def usable_answers(store: Store, asked: AnswerSource, split: Split) -> tuple[str, NDArray[np.int64], Answers]:
    """(space, rows (m,), values (m,)) of the answers that a training about a split can use.

    Raises:
        NotFoundError: there is no such campaign, or its space was deleted.
        AnswersRefusedError: the campaign has no answer that says right or wrong, or belongs to no space.
        SpecRefusedError: its space is of another split, or not the one that is named.
    """
    space_id = _space_of(store, asked)
    found = store.runs.fetch(space_id).spec["split"]
    if found != split:
        raise SpecRefusedError(
            f"Campaign {asked.campaign} asks about {found} images, but answers about {split} images are needed: "
            f"choose a campaign of a space of {split} (slim space --split {split}, slim candidates)."
        )
    rows, values = given_answers(store, asked.campaign, asked.answers_seq)
    require_answers(asked.campaign, values)
    return space_id, rows, values


def _space_of(store: Store, asked: AnswerSource) -> str:
    own = store.campaigns.fetch(asked.campaign).space_run_id
    if own is None:
        raise AnswersRefusedError(
            f"Campaign {asked.campaign} belongs to no attention space, so there is no attention its answers are about: "
            f"choose a campaign of a space."
        )
    if asked.space not in (None, own):
        raise SpecRefusedError(f"Campaign {asked.campaign} asks about space {own}, not {asked.space}: leave space out.")
    return own


def require_head_on_map(space: Run, store: Store) -> None:
    """Refuse environments that answers find where the head of the network does not see the mean of the map.

    An environment is then a mixture of what lies outside the attention and of the whole image, weighed by the answers:
    of two layers, as of DenseNet, whose head sees its map behind a ReLU, images are told apart by their answers alone.

    Raises:
        SpecRefusedError: the head sees other values than the mean of the map.
    """
    seen = store.runs.find(space.spec["attention"])
    if seen is not None and not sees_mean_of_map(seen, store):
        raise SpecRefusedError(
            f"The head of {store.runs.fetch(seen.spec['model']).spec['model']} does not see the mean of the map that "
            f"{seen.id} has taken, so what lies outside the attention cannot be put beside the whole image: take the "
            f"environments of the space (environments=space), or outside and inside wrong attention "
            f"(environments=both)."
        )


def sees_mean_of_map(seen: Run, store: Store) -> bool:
    """Whether the head of a network sees the mean of the map of an attention pass, as far as its facts tell.

    Without a linear head, the whole image is the mean of the map; of a model that was deleted since nothing is known.
    """
    try:
        facts = ModelResult(store.artifacts.folder(seen.spec["model"])).network
    except NotFoundError:
        return True
    if facts is None or facts.head is None:
        return True
    return seen.spec.get("target_layer") in (None, facts.target_layer) and facts.path == "forward"


def features_from(model: str, store: Store) -> str:
    """The model whose layers below the head a model has: of a refit, and of one that refits it, the first reference.

    Raises:
        NotFoundError: there is no such run.
    """
    return store.lineage.origin(store.runs.fetch(model), refitted_model).id


def require_refit_parents(spec: TrainSpec, store: Store) -> None:
    """Refuse parents on which the fit can only fail. Runs that are not there, or of another kind, the store refuses.

    Raises:
        SpecRefusedError: the pass is of a model with other features.
    """
    reference = store.runs.find(spec.reference) if spec.reference is not None else None
    if reference is None or reference.kind != "train":
        return
    seen = store.runs.find(spec.attention) if spec.attention is not None else None
    if seen is not None and seen.kind in PASSES:
        require_same_features(seen.id, reference.id, store)


def require_same_features(seen: str, reference: str, store: Store) -> None:
    """Refuse a pass over a model that has not the reference's layers below the head.

    Raises:
        SpecRefusedError: the pass is of such a model.
    """
    model = store.runs.fetch(seen).spec["model"]
    if features_from(model, store) != features_from(reference, store):
        raise SpecRefusedError(
            f"The pass {seen} is of the model {model}, not of the reference model {reference}: "
            f"name one of that model, or none."
        )


Rows = NDArray[np.int64]


def answers_about_training(spec: TrainSpec, store: Store) -> tuple[str, Rows, Answers] | None:
    """(space, rows (m,), values (m,)) of the answers that enter the fit; None: nobody is asked.

    Raises:
        AnswersRefusedError: nobody has said right or wrong.
        SpecRefusedError: they are about images of another split, about the attention of another network than is
            refitted, or of a layer that the head does not see; or each is about an image with an empty map; or a run
            between the space and its model was deleted.
        NotFoundError: the campaign or its space is gone.
    """
    asked = spec.answers() if spec.mode == "last-layer" else None
    if asked is None:
        return None
    space, rows, values = usable_answers(store, asked, "train")
    _require_regions(str(spec.reference), space, store)
    shown = attention_shown(space, store)
    if not shown.maps(shown.positions(rows[values >= 0])).any():
        raise no_region()
    return space, rows, values


def attention_shown(space: str, store: Store) -> AttentionResult:
    """The maps that people were shown of the images of a space."""
    return AttentionResult(store.artifacts.folder(store.runs.fetch(space).spec["attention"]))


def _require_regions(refitted: str, space: str, store: Store) -> None:
    """Refuse where people were shown the map of another network than is refitted, or of another layer."""
    shown = store.lineage.reference_of(store.runs.fetch(space))
    if features_from(refitted, store) != features_from(shown.id, store):
        raise SpecRefusedError(
            f"People answered about the attention of the model {shown.id}, of which {refitted} is no refit: refit "
            f"{shown.id}, or ask about the attention of {refitted}."
        )
    seen = store.runs.fetch(store.runs.fetch(space).spec["attention"])
    if not sees_mean_of_map(seen, store):
        raise SpecRefusedError(
            f"The head of {shown.spec['model']} does not see the mean of the maps of {seen.id}, about which people "
            f"answered: ask about maps of the layer before its head, or refit without answers."
        )
