"""What the answers of a campaign have cost people, in one sentence wherever that is said."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.formatting import counted, percent, rounded
from slim_core.store import schema
from slim_core.store.campaigns.consensus import current_by_row, folded
from slim_core.store.campaigns.environment_answers import votes_of
from slim_core.store.campaigns.work import ENVIRONMENT_WORK, IMAGE_WORK

_items, _current, _campaigns = schema.items, schema.current_answers, schema.campaigns


@dataclass(frozen=True)
class AnnotationCost:
    """What counts, as it is now or was after some answer; and what was given for it, taken back or not."""

    images: int = 0  # with an answer or a decision that counts
    n_split: int = 0  # images of the split that is asked about, or of all of them
    votes: int = 0  # annotators' answers about images
    sheets: int = 0  # environments with an answer
    decisions: int = 0  # a lead's, about images
    people: int = 0  # answers given by people, those that were taken back too
    simulated: int = 0
    minutes: float = 0.0  # of people, pauses over a minute cut (METHOD section 2); NaN where no answer has a time
    split: str = ""  # that is asked about, by one campaign
    is_private: bool = False  # of a campaign that the reader is not shown; no count has its part, and minutes are NaN

    @property
    def share(self) -> float:
        """The images as a share of the split, 0..1; 0 where nobody was asked, NaN where some are private."""
        if self.is_private:
            return math.nan
        return self.images / self.n_split if self.n_split else 0.0

    @property
    def by(self) -> str | None:
        """Whose answers they are, in words; None where there are none."""
        named = {"people": self.people, "simulated annotator": self.simulated}
        return " and ".join(name for name, n in named.items() if n) or None

    def in_words(self) -> str:
        """ "18 images (3.0 %), 36 votes, 3 environments, 3 decisions, 1.2 min"; "no answers"."""
        share = f" ({percent(self.images / self.n_split)})" if self.n_split else ""
        whose = f" of {self.by}".replace("simulated", "the simulated") if self.simulated else ""
        parts = (
            [f"{counted(self.images, 'image')}{share}", f"{counted(self.votes, 'vote')}{whose}"] if self.images else []
        )
        parts += [counted(n, what) for n, what in ((self.sheets, "environment"), (self.decisions, "decision")) if n]
        parts += [f"{rounded(self.minutes)} min"] if parts and self.people and not math.isnan(self.minutes) else []
        parts += ["answers of a private campaign"] * self.is_private
        return ", ".join(parts) or "no answers"


def total_cost(each: Iterable[AnnotationCost]) -> AnnotationCost:
    """That of several campaigns of one data set as one; an image of two campaigns was asked about twice."""
    known = list(each)
    names = ("images", "votes", "sheets", "decisions", "people", "simulated")
    totals = {name: sum(getattr(one, name) for one in known) for name in names}
    worked = sum(one.minutes for one in known if not math.isnan(one.minutes))
    n_split = sum({one.split: one.n_split for one in known if one.images}.values())
    is_private = any(one.is_private for one in known)
    minutes = math.nan if is_private else _minutes(worked, totals["people"] + totals["simulated"])
    return AnnotationCost(**totals, n_split=n_split, minutes=minutes, is_private=is_private)


def campaign_cost(
    connection: Connection, campaign_id: str, answers_seq: int | None = None, environments_seq: int | None = None
) -> AnnotationCost:
    """That of one campaign: now, or up to these answers."""
    if answers_seq is None:
        images, votes, decisions = _now(connection, campaign_id)
    else:
        images, votes, decisions = folded(connection, campaign_id, answers_seq).tally()
    given = simulated = worked_ms = 0
    for work, seq in ((IMAGE_WORK, answers_seq), (ENVIRONMENT_WORK, environments_seq)):
        query = work.sums.where(work.table.c.campaign_id == campaign_id)
        row = connection.execute(query if seq is None else query.where(work.table.c.seq <= seq)).one()
        given, simulated, worked_ms = (
            old + int(new or 0) for old, new in zip((given, simulated, worked_ms), row, strict=True)
        )
    about = sa.select(_campaigns.c.split, _campaigns.c.n_split).where(_campaigns.c.id == campaign_id)
    found = connection.execute(about).one_or_none()
    if found is None and (answers_seq or environments_seq):
        return AnnotationCost(minutes=math.nan, is_private=True)
    split, n_split = found or ("", 0)
    people = given - simulated
    return AnnotationCost(
        images=images,
        n_split=n_split,
        votes=votes,
        sheets=len({vote.environment for vote in votes_of(connection, campaign_id, environments_seq)}),
        decisions=decisions,
        people=people,
        simulated=simulated,
        minutes=_minutes(worked_ms / 60_000, given),
        split=split,
    )


def _minutes(worked: float, given: int) -> float:
    """NaN where answers were given and none has a time: simulated ones, and those of a file or a whole selection."""
    return math.nan if given and not worked else worked


def _now(connection: Connection, campaign_id: str) -> tuple[int, int, int]:
    """Images, votes and decisions, without reading every answer."""
    votes = sa.select(sa.func.count()).where(_current.c.campaign_id == campaign_id)
    decided = sa.select(sa.func.count()).where(_items.c.campaign_id == campaign_id, _items.c.decision.is_not(None))
    n_votes, n_decided = (connection.execute(query).scalar_one() for query in (votes, decided))
    return len(current_by_row(connection, campaign_id)), n_votes, n_decided
