"""What people say of the environments of a campaign's space: kept append-only, and added up as it is or was.

The team rules are those of the answers about images: a campaign's overlap says how many people answer each environment,
what comes beyond it is kept and not counted, None takes back the last answer, and what most of those who are sure say
counts. Writes of one campaign are serialised by the lock on its row, so that a ``seq`` names one state for ever.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError
from slim_core.space.sheets import BELONGS, UNSURE, EnvironmentConsensus
from slim_core.store import schema
from slim_core.store.campaigns.batch import check_annotator, check_id, kept_ms
from slim_core.store.campaigns.consensus import put
from slim_core.store.campaigns.rows import lock_campaign
from slim_core.store.database import Database
from slim_core.store.people.visibility import of_everybody

MAX_NAME = 80
_PATH = re.compile(r"\d{1,4}(\.[01]){0,8}")
_t, _campaigns = schema.environment_answers, schema.campaigns


@dataclass(frozen=True)
class EnvironmentAnswer:
    """An answer as it arrives. ``id`` is random and made where the key was pressed: it may arrive twice."""

    id: str
    environment: str  # its path
    value: int | None  # of slim_core.space.sheets.BELONGS; None takes back the annotator's last one about it
    name: str = ""  # what the annotator calls the environment
    duration_ms: int = 0


class Vote(NamedTuple):
    """What one person says of one environment now."""

    environment: str
    annotator: str
    value: int
    name: str
    seq: int


class EnvironmentAnswers:
    """The answers about environments of all campaigns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self, campaign_id: str, annotator: str, answers: Sequence[EnvironmentAnswer], source: str = "page"
    ) -> list[str]:
        """Keep answers, all or none; one that was kept before changes nothing.

        Whether the space has such an environment is for who asked to know (slim_core.annotation.sheets).

        Returns:
            Ids of those that are not counted: others had answered as often as the overlap asks.

        Raises:
            NotFoundError: there is no such campaign.
            ForbiddenError: the campaign names its annotators, and this is none of them.
            AnswersRefusedError: a value, a path, a name or an id is none, an id was used for another answer, or the
                campaign is closed or over its deadline.
        """
        check_annotator(annotator)
        for answer in answers:
            _check(answer)
        with self._database.write() as connection:
            campaign = lock_campaign(connection, campaign_id)
            now = self._database.now(connection)
            campaign.require_annotator(annotator)
            campaign.require_open(now)
            new = _not_kept_yet(connection, campaign_id, annotator, answers)
            over_quota = _over_quota(_read(connection, campaign_id), annotator, new, campaign.overlap)
            rows = [
                {
                    "id": answer.id,
                    "campaign_id": campaign_id,
                    "environment": answer.environment,
                    "annotator": annotator,
                    "value": answer.value,
                    "name": " ".join(answer.name.split()),
                    "duration_ms": kept_ms(answer.duration_ms),
                    "source": source,
                    "surplus": answer.id in over_quota,
                    "created_at": now,
                }
                for answer in new
            ]
            if rows:
                connection.execute(_t.insert(), rows)
        return over_quota

    def votes(self, campaign_id: str, seq: int | None = None) -> list[Vote]:
        """What everybody says now, or said after answer ``seq``: one vote a person and environment, in their order."""
        with self._database.read() as connection:
            return votes_of(connection, campaign_id, seq)

    def consensus(self, campaign_id: str, seq: int | None = None) -> dict[str, EnvironmentConsensus]:
        """Path -> what people say of it together, now or after answer ``seq``, of those that have an answer."""
        with self._database.read() as connection:
            overlap = connection.execute(sa.select(_campaigns.c.overlap).where(_campaigns.c.id == campaign_id)).scalar()
            return combine_votes(votes_of(connection, campaign_id, seq), overlap or 1)

    def last_seq(self, campaign_id: str) -> int:
        """Number of the newest answer; 0 where there is none."""
        with self._database.read() as connection:
            return newest(connection, campaign_id)


def votes_of(connection: Connection, campaign_id: str, seq: int | None = None) -> list[Vote]:
    """``votes`` inside a transaction."""
    return _read(connection, campaign_id, seq).votes()


def newest(connection: Connection, campaign_id: str) -> int:
    """``last_seq`` inside a transaction."""
    query = sa.select(sa.func.max(_t.c.seq)).where(_t.c.campaign_id == campaign_id)
    return connection.execute(query).scalar() or 0


def combine_votes(votes: Iterable[Vote], overlap: int) -> dict[str, EnvironmentConsensus]:
    """Path -> what most of those who are sure say, UNSURE where there is a tie; and the name that was given last.

    ``overlap``: as many are asked about each.
    """
    by_path: dict[str, list[Vote]] = {}
    for vote in votes:
        by_path.setdefault(vote.environment, []).append(vote)
    return {
        path: EnvironmentConsensus(_most(cast), _last_name(cast), len(cast), len(cast) >= overlap)
        for path, cast in by_path.items()
    }


def _most(cast: Sequence[Vote]) -> int:
    counted = Counter(vote.value for vote in cast if vote.value != UNSURE).most_common(2)
    if not counted or (len(counted) == 2 and counted[0][1] == counted[1][1]):
        return UNSURE
    return counted[0][0]


def _last_name(cast: Sequence[Vote]) -> str:
    named = [vote for vote in cast if vote.name]
    return max(named, key=lambda vote: vote.seq).name if named else ""


class _Fold:
    """The answers in their order: each person has a stack for each environment, None takes off its top."""

    def __init__(self) -> None:
        self._stacks: dict[tuple[str, str], list[Vote]] = {}

    def push(self, environment: str, annotator: str, value: int | None, name: str, seq: int) -> None:
        vote = None if value is None else Vote(environment, annotator, value, name, seq)
        put(self._stacks.setdefault((environment, annotator), []), vote)

    def votes(self) -> list[Vote]:
        return sorted((stack[-1] for stack in self._stacks.values() if stack), key=lambda vote: vote.seq)

    def is_full_for(self, environment: str, annotator: str, overlap: int) -> bool:
        """Whether others have answered as often as is asked, and this person has not."""
        people = {vote.annotator for vote in self.votes() if vote.environment == environment}
        return annotator not in people and len(people) >= overlap


def _read(connection: Connection, campaign_id: str, seq: int | None = None) -> _Fold:
    query = sa.select(_t.c.environment, _t.c.annotator, _t.c.value, _t.c.name, _t.c.seq)
    query = query.where(_t.c.campaign_id == campaign_id, _t.c.surplus.is_(sa.false()))
    if seq is not None:
        query = query.where(_t.c.seq <= seq)
    fold = _Fold()
    for row in connection.execute(query.order_by(_t.c.seq)):
        fold.push(*row)
    return fold


def _over_quota(fold: _Fold, annotator: str, answers: Sequence[EnvironmentAnswer], overlap: int) -> list[str]:
    """Ids of the answers that do not count: others have answered as often as is asked, which none of these changes."""
    return [answer.id for answer in answers if fold.is_full_for(answer.environment, annotator, overlap)]


def _not_kept_yet(
    connection: Connection, campaign_id: str, annotator: str, answers: Sequence[EnvironmentAnswer]
) -> list[EnvironmentAnswer]:
    query = sa.select(_t.c.id, _t.c.campaign_id, _t.c.annotator, _t.c.environment)
    used = of_everybody(query.where(_t.c.id.in_([answer.id for answer in answers])))  # shown to the sender or not
    known = connection.execute(used).all()
    of_answer = {answer.id: (campaign_id, annotator, answer.environment) for answer in answers}
    for row in known:
        if tuple(row[1:]) != of_answer[row.id]:
            raise AnswersRefusedError(f"The answer id {row.id} was used for another answer: reload the page.")
    kept = {row.id for row in known}
    return list({answer.id: answer for answer in answers if answer.id not in kept}.values())


def _check(answer: EnvironmentAnswer) -> None:
    check_id(answer.id)
    value: object = answer.value
    if value is not None and (isinstance(value, bool) or value not in BELONGS):
        legal = ", ".join(f"{each} is {word}" for each, word in BELONGS.items())
        raise AnswersRefusedError(f"{value!r} is not an answer about an environment: {legal}, null takes back.")
    if not _PATH.fullmatch(answer.environment):
        raise AnswersRefusedError(f"{answer.environment!r} is not an environment: name one such as 3, or its part 3.0.")
    if len(answer.name) > MAX_NAME or not answer.name.isprintable():
        raise AnswersRefusedError(f"{answer.name!r} is not a name: give one of up to {MAX_NAME} characters.")
