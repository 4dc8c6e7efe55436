"""What a report of one model says beside its groups: its classes, what its images can show, and the next step."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from slim_core.data.table import ImageTable, is_too_small
from slim_core.evaluation.diagnosis import GAP
from slim_core.evaluation.verdict import can_show, nothing_to_fix
from slim_core.formatting import counted, first_few, in_percent, interval, percent
from slim_core.metrics import AVERAGE, CLASSES, LEAST, groups_of, wilson, worst_judged

if TYPE_CHECKING:
    from slim_core.store import Run


class NextStep(NamedTuple):
    """One sentence, and the command that does it."""

    sentence: str
    command: str


def classes(metrics: Mapping[str, Any]) -> list[list[str]]:
    """One row a class: name, images, accuracy, its 95 % Wilson interval."""
    found = []
    for one in metrics[CLASSES]:
        low, high = wilson(round((one["accuracy"] or 0) * one["n"]), one["n"])
        found.append([one["name"], f"{one['n']:,}", in_percent(one["accuracy"]), interval(float(low), float(high))])
    return found


def limits(evaluation: Run, model: Run, table: ImageTable, no_attention: str, *, guesses: bool) -> list[str]:
    """Sentences on what the evaluated images can show and what they cannot; ``no_attention``: why there are no maps.

    ``guesses``: whether it is right as often as guessing would be, on training images, too.
    """
    metrics, split = evaluation.metrics or {}, evaluation.spec["split"]
    found = [can_show({group["name"]: group["n"] for group in groups_of(metrics)})]
    if perfect := nothing_to_fix(metrics, split):
        found.append(perfect.why)
    if few := [one["name"] for one in metrics[CLASSES] if one["n"] < LEAST]:
        found.append(f"{counted(len(few), 'class')} with fewer than {LEAST} images cannot be judged: {first_few(few)}.")
    if guesses:
        found.append(
            f"The model is right on {percent(metrics[AVERAGE])} of the images, as guessing would be: check the order "
            f"of its outputs (--classes) and how it sees images (--image-size, --mean, --std)."
        )
    if split != "test":
        found.append(f"There are no test images: these are {split} images, which the model may have been chosen by.")
    if no_attention:
        found.append(no_attention)
    elif not table.has_mask.any():
        found.append("There are no masks: nothing measures whether the attention is on the object.")
    if model.spec.get("mode") == "last-layer" and not model.spec.get("reference"):
        n = len(table.rows("train"))
        found.append(f"Only a last layer was fitted, to {counted(n, 'training image')}: its features are as published.")
    return [sentence for sentence in found if sentence]


def is_chance(n_right: int, n: int, n_classes: int) -> bool:
    """Whether guessing a class would be right as often, by the 95 % interval of the accuracy."""
    return n > 0 and n_classes > 1 and float(wilson(n_right, n)[0]) <= 1 / n_classes


def next_step(
    evaluation: Run, model: Run, maps: Run | None, table: ImageTable, *, is_suspicious: bool, guesses: bool, name: str
) -> NextStep:
    """What to do now.

    Args:
        evaluation: of the model.
        model: a train run.
        maps: the attention pass over the model; None: it has none.
        table: the images.
        is_suspicious: whether the finder found something.
        guesses: as of ``limits``.
        name: of the data set.
    """
    metrics = evaluation.metrics or {}
    worst, data = worst_judged(metrics), shlex.quote(name)
    fails = worst is not None and metrics[AVERAGE] - worst["accuracy"] >= GAP
    file = shlex.quote(str(model.spec.get("checkpoint") or model.id))
    if guesses:
        return NextStep(
            "Name the outputs of the model in their order.", f"slim report {file} {data} --classes NAME,NAME"
        )
    if nothing_to_fix(metrics, evaluation.spec["split"]) or worst is None:
        return NextStep("Collect more test images, those that are hard to get first.", f"slim report {file} NEW_FOLDER")
    if not (fails or is_suspicious):
        return NextStep("No group clearly fails: look through the mistakes yourself.", "slim studio")
    if maps is None or "train" not in maps.spec["splits"] or is_too_small(table, "train"):
        return NextStep("Train a model whose attention can be seen, on these images.", f"slim train --data {data}")
    return NextStep(
        "Ask people about a few training images whether the attention is right, and retrain on a balanced subset.",
        f"slim space --attention {maps.id}",
    )
