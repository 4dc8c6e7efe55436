"""Answers that come from a person at the terminal."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from slim_core.annotation.answered_space import gradcam_of
from slim_core.errors import AnswersRefusedError
from slim_core.store.results import AttentionResult, ModelResult

if TYPE_CHECKING:
    from slim_core.store import Campaign, Item, Store


def save(store: Store, campaign: Campaign, by: str, answers: Mapping[int, int | None], *, duration_ms: int = 0) -> int:
    """Keep answers by row (None: undone); returns how many.

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
    return len(store.answers.save(campaign.id, by, given, source="command line").ids)


def unanswered(store: Store, campaign: Campaign, by: str) -> list[Item]:
    """The items that still need answers and have none of this annotator, in their order."""
    known = store.answers.current(campaign.id, by)
    return [item for item in store.campaigns.items(campaign.id) if not item.done and item.row not in known]


def draw_overlays(store: Store, campaign: Campaign, items: Iterable[Item], folder: Path) -> Mapping[int, Path]:
    """Row -> PNG of the image with its attention, in a folder that is made.

    Raises:
        AnswersRefusedError: the campaign belongs to no space, or its space was deleted.
    """
    from slim_core.data.images import heat
    from slim_core.data.images.codec import encode, load_picture

    table = store.datasets.table(campaign.dataset_id)
    attention = gradcam_of(store, campaign)
    seen = AttentionResult(store.artifacts.folder(attention.id))
    transform = ModelResult(store.artifacts.folder(attention.spec["model"])).transform
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for item in items:
        pixels = load_picture(table.image_path(item.row), transform)
        raw = seen.map_of(item.row)
        assert raw is not None  # an item of a space is one its attention has seen
        drawn[item.row] = folder / f"{item.row}.png"
        drawn[item.row].write_bytes(encode(heat.map_overlay(pixels, raw, transform), "png"))
    return drawn
