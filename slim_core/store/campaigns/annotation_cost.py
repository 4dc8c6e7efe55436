"""What the answers of a campaign have cost people, in one sentence wherever that is said."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.formatting import counted, percent, rounded
from slim_core.store import schema
from slim_core.store.campaigns.consensus import DECISION, FROM_MASKS, SKIP, current_by_row, folded

_items, _current, _campaigns, _answers = schema.items, schema.current_answers, schema.campaigns, schema.answers

IDLE_MS = 60_000  # longer pauses than this do not count as work


def work_sums() -> sa.Select[Any]:
    """The query of what answering took: answers given, of them simulated, and people's milliseconds.

    What was undone or skipped took its time too. A lead's decisions are not annotation.
    """
    source, spent = _answers.c.source, _answers.c.duration_ms
    given = sa.case((_answers.c.value.is_not(None) & (source != SKIP), 1), else_=0)
    simulated = sa.case((source == FROM_MASKS, 1), else_=0)
    worked_ms = sa.case((source == FROM_MASKS, 0), (spent > IDLE_MS, IDLE_MS), else_=spent)
    return sa.select(*map(sa.func.sum, (given, simulated, worked_ms))).where(source != DECISION)


@dataclass(frozen=True)
class AnnotationCost:
    """What counts, as it is now or was after some answer; and what was given for it, taken back or not."""

    images: int = 0  # with an answer or a decision that counts
    n_split: int = 0  # images of the split that is asked about, or of all of them
    votes: int = 0  # annotators' answers about images
    decisions: int = 0  # a lead's, about images
    people: int = 0  # answers given by people, those that were taken back too
    simulated: int = 0
    minutes: float = 0.0  # of people, pauses over a minute cut (METHOD section 2); NaN where no answer has a time
    split: str = ""  # that is asked about, by one campaign

    @property
    def share(self) -> float:
        """The images as a share of the split, 0..1; 0 where nobody was asked."""
        return self.images / self.n_split if self.n_split else 0.0

    @property
    def by(self) -> str | None:
        """Whose answers they are, in words; None where there are none."""
        named = {"people": self.people, "simulated annotator": self.simulated}
        return " and ".join(name for name, n in named.items() if n) or None

    def in_words(self) -> str:
        """ "18 images (3.0 %), 36 votes, 3 decisions, 1.2 min"; "no answers"."""
        share = f" ({percent(self.images / self.n_split)})" if self.n_split else ""
        whose = f" of {self.by}".replace("simulated", "the simulated") if self.simulated else ""
        parts = (
            [f"{counted(self.images, 'image')}{share}", f"{counted(self.votes, 'vote')}{whose}"] if self.images else []
        )
        parts += [counted(self.decisions, "decision")] if self.decisions else []
        parts += [f"{rounded(self.minutes)} min"] if parts and self.people and not math.isnan(self.minutes) else []
        return ", ".join(parts) or "no answers"


def total_cost(each: Iterable[AnnotationCost]) -> AnnotationCost:
    """That of several campaigns of one data set as one; an image of two campaigns was asked about twice."""
    known = list(each)
    names = ("images", "votes", "decisions", "people", "simulated")
    totals = {name: sum(getattr(one, name) for one in known) for name in names}
    worked = sum(one.minutes for one in known if not math.isnan(one.minutes))
    n_split = sum({one.split: one.n_split for one in known if one.images}.values())
    minutes = _minutes(worked, totals["people"] + totals["simulated"])
    return AnnotationCost(**totals, n_split=n_split, minutes=minutes)


def campaign_cost(connection: Connection, campaign_id: str, answers_seq: int | None = None) -> AnnotationCost:
    """That of one campaign: now, or up to these answers."""
    if answers_seq is None:
        images, votes, decisions = _now(connection, campaign_id)
    else:
        images, votes, decisions = folded(connection, campaign_id, answers_seq).tally()
    work = work_sums().where(_answers.c.campaign_id == campaign_id)
    row = connection.execute(work if answers_seq is None else work.where(_answers.c.seq <= answers_seq)).one()
    given, simulated, worked_ms = (int(value or 0) for value in row)
    about = sa.select(_campaigns.c.split, _campaigns.c.n_split).where(_campaigns.c.id == campaign_id)
    found = connection.execute(about).one_or_none()
    split, n_split = found or ("", 0)
    people = given - simulated
    return AnnotationCost(
        images=images,
        n_split=n_split,
        votes=votes,
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
