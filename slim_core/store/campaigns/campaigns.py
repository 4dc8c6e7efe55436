"""Campaigns: which images a team is asked about, by how many, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from slim_core.data.table import ImageTable
from slim_core.errors import AnswersRefusedError, ForbiddenError, NotFoundError, SpecRefusedError
from slim_core.formatting import counted
from slim_core.store import schema
from slim_core.store.campaigns.consensus import (
    EMPTY,
    LISTED,
    PARTLY,
    RIGHT,
    UNSURE,
    VALUES,
    WRONG,
    current_by_row,
    work_sums,
)
from slim_core.store.database import Database, json_safe, new_id
from slim_core.store.datasets import Datasets, hold_dataset
from slim_core.store.events import Events
from slim_core.store.runs.rows import find_run, lock_run

_t, _items, _answers, _current = schema.campaigns, schema.items, schema.answers, schema.current_answers


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
    def is_blind(self) -> bool:
        """Whether annotators are told neither the label nor the prediction."""
        return bool(self.options.get("blind"))

    @property
    def absent(self) -> frozenset[int]:
        """Classes that are the absence of something: wrong about their images counts as neither right nor wrong."""
        return frozenset(self.options.get("absent", ()))

    @property
    def guidelines(self) -> dict[int, str]:
        """Class -> its own guideline."""
        return {int(label): text for label, text in self.options.get("guidelines", {}).items()}

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

    def __post_init__(self) -> None:
        """Raises: SpecRefusedError: an overlap below 1, or a known answer that is none."""
        if self.overlap < 1:
            raise SpecRefusedError(f"Annotators per image must be at least 1, and {self.overlap} was given.")
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


def n_answered(campaign: Campaign, progress: Mapping[str, Any]) -> int:
    """Images that need nobody else: by as many annotators as the overlap asks for.

    Of a closed campaign those with any answer, as nothing is left to do there. ``progress``: of Campaigns.progress.
    """
    return int(progress["done" if _asks_several(campaign) else "answered"])


def answered_in_words(campaign: Campaign, progress: Mapping[str, Any], what: str = "") -> str:
    """ "25 of 25 answered"; "13 of 25 have both answers". ``what``: "images", after the numbers."""
    each = "both" if campaign.overlap == 2 else f"all {campaign.overlap}"
    said = f"have {each} answers" if _asks_several(campaign) else "answered"
    return f"{n_answered(campaign, progress):,} of {progress['total']:,}{what and f' {what}'} {said}"


def still_needed(campaign: Campaign, progress: Mapping[str, Any]) -> str:
    """ "Each image needs 2 annotators: 12 images still need another annotator."; empty where nothing is left to say."""
    n = int(progress["total"]) - n_answered(campaign, progress)
    if not _asks_several(campaign) or not n:
        return ""
    need = "needs" if n == 1 else "need"
    return f"Each image needs {campaign.overlap} annotators: {counted(n, 'image')} still {need} another annotator."


def _asks_several(campaign: Campaign) -> bool:
    return campaign.overlap > 1 and campaign.status == "open"


USUAL = CampaignSettings()


class Campaigns:
    """All campaigns."""

    def __init__(self, database: Database, events: Events, datasets: Datasets) -> None:
        self._database, self._events, self._datasets = database, events, datasets

    def create(
        self,
        name: str,
        dataset_id: str,
        space_run_id: str | None,
        rows: Sequence[int] | NDArray[np.int64],
        by: str = "local",
        settings: CampaignSettings = USUAL,
    ) -> Campaign:
        """Ask about these rows of a data set's table, in this order.

        A run that opens a campaign (``options`` name it) opens one: that of another attempt at it, where there is one.

        Raises:
            SpecRefusedError: no rows, a row twice or outside the split, a known answer about an image that is not asked
                about.
            NotFoundError: the data set, the space run or the run that opens it does not exist.
        """
        if not name.strip() or len(name) > 200:
            raise SpecRefusedError("A campaign needs a name of 1 to 200 characters: give one.")
        table = self._datasets.table(dataset_id)
        chosen = _checked(table, settings.split, rows)
        _check_gold(settings.gold, chosen)
        campaign_id = new_id("c")
        row = {
            "id": campaign_id,
            "name": name.strip(),
            "dataset_id": dataset_id,
            "space_run_id": space_run_id,
            "split": settings.split,
            "n_split": len(table.rows(settings.split)),
            "guideline": settings.guideline,
            "seed": settings.seed,
            "strategy": settings.strategy,
            "budgets": _raised({}, table.labels[chosen]),
            "overlap": settings.overlap,
            "options": json_safe(settings.options),
            "deadline": settings.deadline,
            "status": "open",
            "created_by": by,
        }
        with self._database.write() as connection:
            hold_dataset(connection, dataset_id)
            _hold_space(connection, space_run_id)
            if (before := _opened_by(connection, dataset_id, settings.options.get("run"))) is not None:
                return before
            connection.execute(_t.insert().values(**row, created_at=self._database.now(connection)))
            _add_items(connection, campaign_id, chosen, table, 0, settings.gold)
            self._events.note(connection, by, "campaign.created", campaign_id, {"name": name, "images": len(chosen)})
        return self.fetch(campaign_id)

    def extend(self, campaign_id: str, rows: Sequence[int] | NDArray[np.int64], by: str = "local") -> Campaign:
        """Ask about more rows, after those that were there; rows that are asked about already are left out.

        Raises:
            SpecRefusedError: no new row, or one outside the split.
        """
        table = self._datasets.table(self.fetch(campaign_id).dataset_id)  # may be far away: before others have to wait
        with self._database.write() as connection:
            campaign = lock_campaign(connection, campaign_id)
            campaign.require_open()
            asked = sa.select(_items.c.row, _items.c.position).where(_items.c.campaign_id == campaign_id)
            positions = {row: position for row, position in connection.execute(asked)}  # noqa: C416
            fresh = np.array([row for row in np.asarray(rows).tolist() if row not in positions], np.int64)
            chosen = _checked(table, campaign.split, fresh)
            _add_items(connection, campaign_id, chosen, table, max(positions.values()) + 1)
            budgets = _raised(campaign.budgets, table.labels[chosen])
            connection.execute(_t.update().where(_t.c.id == campaign_id).values(budgets=budgets))
            self._events.note(connection, by, "campaign.extended", campaign_id, {"images": len(chosen)})
        return self.fetch(campaign_id)

    def fetch(self, campaign_id: str) -> Campaign:
        """The campaign of this id.

        Raises:
            NotFoundError: no campaign has this id, or it went with its data set.
        """
        with self._database.read() as connection:
            return fetch_campaign(connection, campaign_id)

    def all(self, dataset: str | None = None) -> list[Campaign]:
        """Every campaign, newest first."""
        query = sa.select(*COLUMNS).where(_t.c.deleted_at.is_(None)).order_by(_t.c.created_at.desc(), _t.c.id)
        if dataset is not None:
            query = query.where(_t.c.dataset_id == dataset)
        with self._database.read() as connection:
            return [Campaign(**row) for row in connection.execute(query).mappings()]

    def items(self, campaign_id: str) -> list[Item]:
        """Every item, in the order in which they are asked."""
        query = sa.select(*ITEM_COLUMNS).where(_items.c.campaign_id == campaign_id).order_by(_items.c.position)
        with self._database.read() as connection:
            return [Item(**row) for row in connection.execute(query).mappings()]

    def progress(self, campaign_id: str) -> dict[str, Any]:
        """How far it is.

        Returns:
            total (items), answered (items with an answer), done (items with as many as the overlap asks), right, wrong,
            unsure (by consensus), partly, empty (items that somebody calls so; empty counts as wrong), answers (given
            in all, undone ones too), simulated (of these, by the simulated annotator), share (answered of the
            split, 0..1) and minutes (people's work, pauses over 60 s cut; what was undone or skipped took its
            time too).
        """
        spent = work_sums().where(_answers.c.campaign_id == campaign_id)
        done = sa.func.sum(sa.case((_items.c.done, 1), else_=0))
        with self._database.read() as connection:
            n_split = fetch_campaign(connection, campaign_id).n_split
            values = list(current_by_row(connection, campaign_id).values())
            n_partly, n_empty = (_n_called(connection, campaign_id, value) for value in (PARTLY, EMPTY))
            n_answers, n_simulated, worked_ms = connection.execute(spent).one()
            total, n_done = connection.execute(
                sa.select(sa.func.count(), done).where(_items.c.campaign_id == campaign_id)
            ).one()
        return {
            "total": total,
            "answered": len(values),
            "done": int(n_done or 0),
            "right": values.count(RIGHT),
            "wrong": values.count(WRONG),
            "unsure": values.count(UNSURE),
            "partly": n_partly,
            "empty": n_empty,
            "answers": int(n_answers or 0),
            "simulated": int(n_simulated or 0),
            "share": len(values) / n_split,
            "minutes": float(worked_ms or 0) / 60_000,
        }

    def close(self, campaign_id: str, by: str = "local") -> Campaign:
        """Take no more answers."""
        return self._set_status(campaign_id, "closed", by)

    def reopen(self, campaign_id: str, by: str = "local") -> Campaign:
        """Take answers again."""
        return self._set_status(campaign_id, "open", by)

    def set_deadline(self, campaign_id: str, deadline: datetime | None, by: str = "local") -> Campaign:
        """Move the deadline; None removes it."""
        with self._database.write() as connection:
            lock_campaign(connection, campaign_id)
            details = {"deadline": str(deadline)}
            return self._change(connection, campaign_id, by, "campaign.deadline", details, deadline=deadline)

    def set_members(self, campaign_id: str, members: Sequence[str], by: str = "local") -> Campaign:
        """Say who may answer; nobody named: everybody who may annotate. Answers that were given stay."""
        named = [name.strip() for name in members if name.strip()]
        with self._database.write() as connection:
            options = lock_campaign(connection, campaign_id).options
            before = options.get("members") or []
            details = {"added": _not_among(before, named), "removed": _not_among(named, before)}
            changed = options | {"members": named}
            return self._change(connection, campaign_id, by, "campaign.members", details, options=changed)

    def set_classes(
        self, campaign_id: str, absent: Sequence[int], guidelines: Mapping[int, str], by: str = "local"
    ) -> Campaign:
        """Say which classes are the absence of something, and the guidelines of single classes (``class_options``).

        Raises:
            AnswersRefusedError: a class is to be an absence, or none, about which there are answers: what they counted
                as would be another thing afterwards, and a subset that was curated by them no longer theirs.
        """
        with self._database.write() as connection:
            campaign = lock_campaign(connection, campaign_id)
            answered = sa.select(sa.func.count()).select_from(_answers.join(_items))
            changed = [*(campaign.absent ^ set(absent))]
            answered = answered.where(_answers.c.campaign_id == campaign_id, _items.c.label.in_(changed))
            if connection.execute(answered).scalar_one():
                raise AnswersRefusedError(
                    "This class has answers already, so it stays as it is: open a campaign in which it is set, and "
                    "import these answers."
                )
            options = campaign.options | class_options(absent, guidelines)
            details = {"absent": sorted(absent), "guidelines": len(guidelines)}
            return self._change(connection, campaign_id, by, "campaign.classes", details, options=options)

    def has_space(self, campaign: Campaign) -> bool:
        """Whether it belongs to an attention space that was not deleted meanwhile."""
        if campaign.space_run_id is None:
            return False
        with self._database.read() as connection:
            return find_run(connection, campaign.space_run_id) is not None

    def require_space(self, campaign: Campaign) -> None:
        """Refuse a campaign whose space was deleted: there is nothing left to look at.

        Raises:
            AnswersRefusedError: its space was deleted.
        """
        if campaign.space_run_id is not None:
            with self._database.read() as connection:
                require_space(connection, campaign)

    def _change(
        self, connection: Connection, campaign_id: str, by: str, what: str, details: Mapping[str, Any], **values: Any
    ) -> Campaign:
        """Of a campaign that this transaction has locked."""
        connection.execute(_t.update().where(_t.c.id == campaign_id).values(**values))
        changed = fetch_campaign(connection, campaign_id)
        self._events.note(connection, by, what, campaign_id, details)
        return changed

    def _set_status(self, campaign_id: str, status: str, by: str) -> Campaign:
        with self._database.write() as connection:
            campaign = lock_campaign(connection, campaign_id)
            if campaign.status == status:
                return campaign
            closed_at = self._database.now(connection) if status == "closed" else None
            return self._change(
                connection, campaign_id, by, f"campaign.{status}", {}, status=status, closed_at=closed_at
            )


def class_options(absent: Sequence[int], guidelines: Mapping[int, str]) -> dict[str, Any]:
    """What ``options`` of a campaign hold about its classes; a guideline without text is none."""
    told = {str(label): text.strip() for label, text in guidelines.items() if text.strip()}
    return {"absent": sorted(absent), "guidelines": told}


def _not_among(others: Sequence[str], names: Sequence[str]) -> list[str]:
    """Those of the names that the others lack, in whatever case."""
    known = {one.lower() for one in others}
    return [one for one in names if one.lower() not in known]


def _n_called(connection: Connection, campaign_id: str, value: int) -> int:
    """Items to which somebody gives this answer."""
    query = sa.select(sa.func.count(_current.c.item_id.distinct()))
    query = query.where(_current.c.campaign_id == campaign_id, _current.c.value == value)
    return int(connection.execute(query).scalar_one())


def _hold_space(connection: Connection, space_run_id: str | None) -> None:
    """Keep the space from being deleted until the transaction ends, which builds on it."""
    if space_run_id is not None and find_run(connection, space_run_id, lock=True) is None:
        raise NotFoundError(f"There is no run {space_run_id}: choose one on the Space page.")


def _opened_by(connection: Connection, dataset_id: str, run_id: str | None) -> Campaign | None:
    """What a run has opened; two attempts at it, of which one was suspended meanwhile, come one after the other."""
    if run_id is None:
        return None
    lock_run(connection, run_id)
    query = sa.select(*COLUMNS).where(_t.c.dataset_id == dataset_id, _t.c.deleted_at.is_(None))
    opened = (Campaign(**row) for row in connection.execute(query).mappings())
    return next((one for one in opened if one.options.get("run") == run_id), None)


def _raised(budgets: Mapping[str, int], labels: NDArray[np.int64]) -> dict[str, int]:
    """The budget of each class with these images (n,) in it, too."""
    more = {str(label): int(n) for label, n in zip(*np.unique(labels, return_counts=True), strict=True)}
    return {**budgets, **{label: budgets.get(label, 0) + n for label, n in more.items()}}


def _check_gold(gold: Mapping[int, int], rows: NDArray[np.int64]) -> None:
    foreign = sorted(set(gold) - set(rows.tolist()))
    if foreign:
        raise SpecRefusedError(f"Row {foreign[0]} has a known answer but is not asked about: choose among the rows.")


def _checked(table: ImageTable, split: str, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows (n,), which are some of the split, each once."""
    chosen = np.asarray(rows, np.int64).ravel()
    if not len(chosen):
        raise SpecRefusedError("A campaign needs images that it does not ask about yet: choose some.")
    outside = chosen[~np.isin(chosen, table.rows(split))]
    if len(outside):
        raise SpecRefusedError(f"Row {outside[0]} is not in the split {split}: choose rows of that split.")
    unique, counts = np.unique(chosen, return_counts=True)
    if (counts > 1).any():
        raise SpecRefusedError(f"Row {unique[counts > 1][0]} occurs twice: name each image once.")
    return chosen


def _add_items(
    connection: Connection,
    campaign_id: str,
    rows: NDArray[np.int64],
    table: ImageTable,
    first: int,
    gold: Mapping[int, int] | None = None,
) -> None:
    known = gold or {}
    entries = [
        {"campaign_id": campaign_id, "row": row, "label": int(table.labels[row]), "gold": known.get(row)}
        for row in rows.tolist()
    ]
    connection.execute(_items.insert(), [one | {"position": first + k} for k, one in enumerate(entries)])
