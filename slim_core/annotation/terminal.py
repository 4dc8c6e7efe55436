"""Answers that come from a person at the terminal, and the words every kind of answer is given in."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from slim_core.errors import AnswersRefusedError
from slim_core.store.campaigns.values import KEYS, LISTED, NAMED, VALUES
from slim_core.store.results import AttentionResult, ModelResult

if TYPE_CHECKING:
    from slim_core.store import Campaign, Item, Run, Store

WRITTEN = {**NAMED, **{key: value for value, key in KEYS.items()}, **{str(value): value for value in VALUES}}


def value_of(text: object) -> int:
    """The answer that a word, a key or a number stands for.

    Raises:
        AnswersRefusedError: it is none of the words.
    """
    word = str(text).strip().lower().removesuffix(".0")
    if word not in WRITTEN:
        raise AnswersRefusedError(f"{text!r} is not an answer: write {LISTED}.")
    return WRITTEN[word]


def save(store: Store, campaign: Campaign, by: str, answers: Mapping[int, int], *, duration_ms: int = 0) -> int:
    """Keep answers by row; returns how many.

    Raises:
        AnswersRefusedError: a row is not asked about in this campaign.
    """
    from slim_core.store import AnswerIn

    items = {item.row: item for item in store.campaigns.items(campaign.id)}
    foreign = [row for row in answers if row not in items]
    if foreign:
        raise AnswersRefusedError(
            f"Row {foreign[0]} is not one of the {len(items)} images campaign {campaign.id} asks about "
            f"({len(foreign)} such answers): take the answers of this campaign."
        )
    given = [
        AnswerIn(id=secrets.token_hex(16), item_id=items[row].id, value=value, duration_ms=duration_ms)
        for row, value in answers.items()
    ]
    return len(store.answers.save(campaign.id, by, given, source="command line"))


def unanswered(store: Store, campaign: Campaign) -> list[Item]:
    """The items nobody has answered, in their order."""
    known = store.answers.current(campaign.id)
    return [item for item in store.campaigns.items(campaign.id) if item.row not in known]


def draw_overlays(store: Store, campaign: Campaign, items: Iterable[Item], folder: Path) -> Mapping[int, Path]:
    """Row -> PNG of the image with its attention, in a folder that is made.

    Raises:
        AnswersRefusedError: the campaign's space comes from features alone, which have no maps.
    """
    from slim_core.data import empty_map
    from slim_core.data.images import encode, load_pixels

    table = store.datasets.table(campaign.dataset_id)
    attention = gradcam_of(store, campaign)
    seen = AttentionResult(store.artifacts.folder(attention.id))
    transform = ModelResult(store.artifacts.folder(attention.spec["model"])).transform
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for item in items:
        pixels = load_pixels(table.image_path(item.row), transform)
        raw = seen.map_of(item.row)
        assert raw is not None  # an item of a space is one its attention has seen
        drawn[item.row] = folder / f"{item.row}.png"
        drawn[item.row].write_bytes(encode(empty_map.overlay(pixels, raw), "png"))
    return drawn


def gradcam_of(store: Store, campaign: Campaign) -> Run:
    """The gradcam run whose attention a campaign asks about.

    Raises:
        AnswersRefusedError: there is none.
    """
    if campaign.space_run_id is None:
        raise AnswersRefusedError(
            f"Campaign {campaign.id} belongs to no attention space, so there is no attention to look at."
        )
    store.campaigns.require_space(campaign)
    return gradcam_of_space(store, store.runs.fetch(campaign.space_run_id))


def gradcam_of_space(store: Store, space: Run) -> Run:
    """The gradcam run a space was made from, or one that looked at the same images with the same model.

    Raises:
        AnswersRefusedError: the space was made from features alone, and there is no such run.
    """
    found = store.lineage.attention_of(space)
    if found is not None:
        return found
    attention, split = store.runs.fetch(space.spec["attention"]), space.spec["split"]
    model, class_of_map = attention.spec["model"], attention.spec["class_of_map"]
    raise AnswersRefusedError(
        f"Space {space.id} was made from features alone ({attention.id}), so there is no attention to look at: "
        f"compute it (slim gradcam --model {model} --splits {split} --class-of-map {class_of_map}), and keep the space."
    )
