"""A campaign and its questions, as rows of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError, ForbiddenError, NotFoundError, SpecRefusedError
from slim_core.store import schema
from slim_core.store.campaigns.values import LISTED, VALUES
from slim_core.store.runs.rows import find_run

_t, _items = schema.campaigns, schema.items


class CampaignClosedError(AnswersRefusedError):
    """The campaign takes no answers now."""


@dataclass(frozen=True)
class Campaign:
    """Questions about some images of one split."""

    id: str
    name: str
    dataset_id: str
    space_run_id: str | None
    split: str
    n_split: int  # images of the split, for "48 of 2,400"
    guideline: str
    seed: int
    strategy: str  # how the candidates were chosen
    budgets: dict[str, int]  # class -> images asked about
    overlap: int  # annotators an item is answered by
    options: dict[str, Any]
    deadline: datetime | None
    status: Literal["open", "closed"]
    created_by: str
    created_at: datetime
    closed_at: datetime | None

    @property
    def chosen_by(self) -> str | None:
        """The earlier campaign by whose answers its images were chosen, if they were."""
        return self.options.get("earlier") if self.strategy == "uncertain" else None

    @property
    def is_blind(self) -> bool:
        """Whether annotators are told neither the label nor the prediction."""
        return bool(self.options.get("blind"))

    def require_open(self, now: datetime | None = None) -> None:
        """Refuse where no answers are taken; ``now`` checks the deadline too (answers under way may still arrive).

        Raises:
            CampaignClosedError: the campaign is closed, or its deadline was before ``now``.
        """
        if self.status != "open":
            raise CampaignClosedError(f"The campaign {self.name} is closed: ask its lead to reopen it.")
        if now is not None and self.deadline is not None and self.deadline < now:
            raise CampaignClosedError(
                f"The deadline of {self.name} was {self.deadline:%Y-%m-%d %H:%M} UTC: ask its lead to move it."
            )

    def require_annotator(self, name: str) -> None:
        """Refuse who is not among those that the campaign names; where it names nobody, everybody may answer.

        Raises:
            ForbiddenError: the campaign names others.
        """
        named = [str(one).lower() for one in self.options.get("members") or ()]
        if named and name.strip().lower() not in named:
            may = "a lead can add people under Manage this campaign"
            raise ForbiddenError(f"{name} is not an annotator of {self.name}: {may}.")


@dataclass(frozen=True)
class CampaignSettings:
    """How people are asked, and of whom."""

    split: str = "train"  # that the rows are of
    guideline: str = ""
    seed: int = 0  # of the order in which images are asked about
    strategy: str = "kmeans"  # how the candidates were chosen
    overlap: int = 1  # annotators an item is answered by
    deadline: datetime | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # members (nobody named: all annotators), blind, examples
    gold: Mapping[int, int] = field(default_factory=dict)  # row -> known answer
    as_ordered: bool = False  # in the order of the rows, where classes alternate otherwise

    def __post_init__(self) -> None:
        """Raises: SpecRefusedError: an overlap below 1, or a known answer that is none."""
        if self.overlap < 1:
            raise SpecRefusedError(f"An overlap of {self.overlap} asks nobody: give 1 or more.")
        strange = [value for value in self.gold.values() if value not in VALUES]
        if strange:
            raise SpecRefusedError(f"{strange[0]!r} is not an answer: give {LISTED}.")


@dataclass(frozen=True)
class Item:
    """One question."""

    id: int
    row: int  # of the image, in the table of the data set
    label: int
    position: int = 0  # order in which it is asked
    n_answers: int = 0  # annotators whose answer counts
    done: bool = False  # answered by as many as the overlap asks for
    gold: int | None = None  # the known answer, where there is one
    decision: int | None = None  # of the lead; counts instead of the annotators' answers


COLUMNS: list[sa.Column[Any]] = [_t.c[name] for name in Campaign.__dataclass_fields__]
ITEM_COLUMNS: list[sa.Column[Any]] = [_items.c[name] for name in Item.__dataclass_fields__]


def fetch_campaign(connection: Connection, campaign_id: str, *, lock: bool = False) -> Campaign:
    """The campaign of this id; ``lock``: others cannot write to it before the transaction ends.

    Raises:
        NotFoundError: no campaign has this id.
    """
    query = sa.select(*COLUMNS).where(_t.c.id == campaign_id, _t.c.deleted_at.is_(None))
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise NotFoundError(_why_missing(connection, campaign_id))
    return Campaign(**row)


def lock_campaign(connection: Connection, campaign_id: str) -> Campaign:
    """The campaign, which others cannot write to before the transaction ends.

    So ``seq`` is the order in which its answers became visible, and a snapshot up to a ``seq`` never changes.

    Raises:
        NotFoundError: no campaign has this id.
    """
    return fetch_campaign(connection, campaign_id, lock=True)


def require_space(connection: Connection, campaign: Campaign) -> None:
    """Refuse a campaign whose space was deleted: there is nothing left to look at.

    Raises:
        AnswersRefusedError: its space was deleted.
    """
    if campaign.space_run_id is not None and find_run(connection, campaign.space_run_id) is None:
        raise AnswersRefusedError(
            f"The space {campaign.space_run_id} of the campaign {campaign.name} was deleted, so nothing can be "
            "asked or curated from it: its answers stay; export them, and import those about the same images into a "
            "campaign on another space."
        )


def _why_missing(connection: Connection, campaign_id: str) -> str:
    gone = connection.execute(sa.select(_t.c.name, _t.c.deleted_at).where(_t.c.id == campaign_id)).first()
    if gone is None:
        return f"There is no campaign {campaign_id}: choose one on the Annotate page."
    return (
        f"The campaign {gone.name} was removed with its data set on {gone.deleted_at:%Y-%m-%d}: choose another on the "
        "Annotate page."
    )
