"""A private data set, for whom it is not shared with: every method of the store answers as if it did not exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
import sqlalchemy as sa

from slim_core.data.image_filter import ImageFilter
from slim_core.errors import ForbiddenError, NotFoundError, PathRefusedError, SlimError, SpecRefusedError
from slim_core.store import AnswerIn, CampaignSettings, Run, Store, schema
from slim_core.store.people.activity import ActivityFilter, find_activity
from slim_core.store.people.shares import share, shared_with
from slim_core.store.people.visibility import RULES
from slim_core.store.runs.history import History, RunFilter
from slim_core.store.versions import news_of, splits_before
from slim_core.store.workers import Heartbeat
from tests.slim_core.store.store_makers import image_table, imported, statements, train_spec

OWNER, ADMIN, LEAD, ANNOTATOR, VIEWER = (f"{who}@lab.org" for who in ("olga", "adam", "lea", "ann", "vic"))
SHAPE = [[[1, 1], [7, 1], [4, 7]]]
SECRET = "hush"  # in every name and text of the private data set


@dataclass(frozen=True)
class Ids:
    """Of one of each kind, all of one data set."""

    dataset: str = "d-missing"
    run: str = "r-missing"
    child: str = "r-nothing"
    campaign: str = "c-missing"
    filter: str = "v-missing"
    pipeline: str = "p-missing"
    item: int = 10**6


class Private(SimpleNamespace):
    """The store, the ids of what is private in it, and the objects that a page may still hold."""

    store: Store
    ids: Ids
    held: SimpleNamespace


@pytest.fixture
def private(store: Store, tmp_path: Path, finish: Callable[..., Any]) -> Private:
    """olga's data set with a bit of everything on it, and a data set that everybody sees."""
    for who, role in ((ADMIN, "admin"), (OWNER, "lead"), (LEAD, "lead"), (ANNOTATOR, "annotator")):
        store.members.set_role(who, role)
    public = store.datasets.register(imported(image_table(tmp_path / "open", name="digits")), by=LEAD)
    store.runs.submit(train_spec(public), by=LEAD)
    dataset = store.datasets.register(imported(image_table(tmp_path / SECRET, name=SECRET, seed=1)), by=OWNER)
    run, _ = store.runs.submit(train_spec(dataset), by=OWNER, name=SECRET)
    finish(run)
    (store.artifacts.folder(run.id) / "log.txt").write_text(SECRET)
    child, _ = store.runs.submit(train_spec(dataset, seed=2), by=OWNER, name=SECRET)
    with store.database.write() as connection:
        connection.execute(schema.run_parents.insert().values(run_id=child.id, role="model", parent_id=run.id))
    campaign = store.campaigns.create(
        SECRET, dataset.id, None, range(12), by=OWNER, settings=CampaignSettings(options={"members": []})
    )
    (item, *_) = store.assignments.assign(campaign.id, ANNOTATOR, 4, "tab").items
    store.answers.save(campaign.id, ANNOTATOR, [AnswerIn("a1", item.id, 1), AnswerIn("a2", item.id + 1, 0)])
    store.tags.add(dataset.id, [0, 1], SECRET, by=OWNER)
    kept = store.filters.save(dataset.id, SECRET, ImageFilter(labels=("one",)), by=OWNER)
    store.shapes.keep(dataset.id, 3, SHAPE, (9, 9), id="s1", by=ANNOTATOR)
    pipeline = store.pipelines.create("training", [child.id], by=OWNER)
    for subject in (dataset.id, run.id, campaign.id):
        store.notes.describe(subject, text=SECRET, tags=[SECRET], by=OWNER)
    store.workers.beat(
        Heartbeat("worker-1", host="box", pid=1, device="cpu", queues=["cpu", "gpu"], current_run=run.id)
    )
    store.sharing.set(dataset.id, private=True, shared_with=["sam@lab.org"], by=OWNER)
    ids = Ids(dataset.id, run.id, child.id, campaign.id, kept.id, pipeline.id, item.id)
    held = SimpleNamespace(dataset=store.datasets.fetch(dataset.id), run=store.runs.fetch(run.id), campaign=campaign)
    return Private(store=store, ids=ids, held=held, table=image_table(tmp_path / SECRET, name=SECRET, seed=1))


def _answer(ids: Ids) -> AnswerIn:
    return AnswerIn("a9", ids.item, 1)


Call = Callable[[Store, Ids], Any]
READS: dict[str, Call] = {  # with an id; for others, as with an id that there is not
    "artifacts.log": lambda s, i: s.artifacts.log(i.run),
    "artifacts.folder": lambda s, i: s.artifacts.folder(i.run),
    "artifacts.has": lambda s, i: s.artifacts.has(i.run, "out.txt"),
    "artifacts.sizes": lambda s, i: s.artifacts.sizes(i.run),
    "artifacts.dataset_folder": lambda s, i: s.artifacts.dataset_folder(i.dataset),
    "events.recent": lambda s, i: [s.events.recent(subject=one) for one in (i.dataset, i.run, i.campaign)],
    "datasets.fetch": lambda s, i: s.datasets.fetch(i.dataset),
    "datasets.find": lambda s, i: s.datasets.find(i.dataset),
    "datasets.of": lambda s, i: s.datasets.of(i.dataset),
    "datasets.table": lambda s, i: s.datasets.table(i.dataset).name,
    "datasets.unchanged_table": lambda s, i: s.datasets.unchanged_table(i.dataset).name,
    "runs.fetch": lambda s, i: s.runs.fetch(i.run),
    "runs.find": lambda s, i: s.runs.find(i.run),
    "runs.find_same": lambda s, i: s.runs.find_same(train_spec(SimpleNamespace(id=i.dataset), seed=2)),
    "runs.all": lambda s, i: (s.runs.all(dataset=i.dataset), s.runs.all(campaign=i.campaign)),
    "runs.parents": lambda s, i: s.runs.parents(i.child),
    "runs.children": lambda s, i: s.runs.children(i.run),
    "lineage.parents": lambda s, i: s.lineage.parents([i.child]),
    "lineage.children": lambda s, i: s.lineage.children([i.run]),
    "lineage.ancestors": lambda s, i: s.lineage.ancestors([i.child]),
    "lineage.descendants": lambda s, i: s.lineage.descendants([i.run]),
    "lineage.trace": lambda s, i: s.lineage.trace(i.run),
    "campaigns.fetch": lambda s, i: s.campaigns.fetch(i.campaign),
    "campaigns.all": lambda s, i: s.campaigns.all(i.dataset),
    "campaigns.items": lambda s, i: s.campaigns.items(i.campaign),
    "campaigns.progress": lambda s, i: s.campaigns.progress(i.campaign),
    "assignments.leases": lambda s, i: s.assignments.leases(i.campaign),
    "assignments.progress": lambda s, i: s.assignments.progress(i.campaign, ANNOTATOR),
    "answers.cost": lambda s, i: s.answers.cost(i.campaign),
    "answers.current": lambda s, i: s.answers.current(i.campaign),
    "answers.votes": lambda s, i: s.answers.votes(i.campaign),
    "answers.latest": lambda s, i: s.answers.latest(i.campaign, ANNOTATOR, 5),
    "answers.last_seq": lambda s, i: s.answers.last_seq(i.campaign),
    "answers.snapshot": lambda s, i: s.answers.snapshot(i.campaign, 9),
    "answers.frame": lambda s, i: s.answers.frame(i.campaign).to_dict("list"),
    "answers.audit": lambda s, i: list(s.answers.audit(i.campaign)),
    "tags.counts": lambda s, i: s.tags.counts(i.dataset),
    "tags.rows": lambda s, i: s.tags.rows(i.dataset, SECRET),
    "tags.by_row": lambda s, i: s.tags.by_row(i.dataset),
    "filters.all": lambda s, i: s.filters.all(i.dataset),
    "filters.find": lambda s, i: s.filters.find(i.filter),
    "shapes.find": lambda s, i: s.shapes.find(i.dataset, 3),
    "shapes.newest": lambda s, i: s.shapes.newest(i.dataset),
    "shapes.all": lambda s, i: s.shapes.all(i.dataset),
    "shapes.drawings": lambda s, i: s.shapes.drawings(i.dataset),
    "later_drawings.mark": lambda s, i: s.later_drawings.mark(i.dataset),
    "pipelines.fetch": lambda s, i: s.pipelines.fetch(i.pipeline),
    "pipelines.all": lambda s, i: s.pipelines.all(i.dataset),
    "notes.fetch": lambda s, i: [s.notes.fetch(one) for one in (i.dataset, i.run, i.campaign)],
    "notes.some": lambda s, i: s.notes.some([i.dataset, i.run, i.campaign]),
    "sharing.of": lambda s, i: s.sharing.of(i.dataset),
    "sharing.may_change": lambda s, i: s.sharing.may_change(i.dataset),
    "removals.preview": lambda s, i: s.removals.preview(i.dataset).cost.votes if i else None,
    "history.page": lambda s, i: History(s.database).page(RunFilter(dataset=i.dataset), 9),
    "history.count": lambda s, i: History(s.database).count(RunFilter(dataset=i.dataset)),
    "history.finished": lambda s, i: History(s.database).finished(i.dataset),
    "history.some": lambda s, i: History(s.database).some([i.run, i.child]),
    "find_activity": lambda s, i: find_activity(s.database, ActivityFilter(dataset=i.dataset), 99),
}
LISTS: dict[str, Callable[[Store], Any]] = {  # of all there is; for others, without what is private
    "events.recent": lambda s: s.events.recent(200),
    "datasets.all": lambda s: s.datasets.all(),
    "datasets.find": lambda s: s.datasets.find(SECRET),
    "runs.all": lambda s: s.runs.all(),
    "runs.counts": lambda s: [SECRET] * (sum(s.runs.counts().values()) - 1),  # the public one alone
    "runs.under_way": lambda s: [SECRET] * (len(s.runs.under_way()) - 1),
    "campaigns.all": lambda s: s.campaigns.all(),
    "queue.waiting": lambda s: s.queue.waiting(),
    "queue.next_for": lambda s: s.queue.next_for(("cpu", "gpu"), (1,)),
    "queue.count_waiting": lambda s: [SECRET] * (sum(s.queue.count_waiting().values()) - 1),
    "queue.unfinished_parents": lambda s: s.queue.unfinished_parents(),
    "workers.alive": lambda s: s.workers.alive(),
    "answers.count": lambda s: [SECRET] * s.answers.count(),
    "notes.tags": lambda s: s.notes.tags(),
    "storage.runs": lambda s: s.storage.runs(),
    "history.page": lambda s: History(s.database).page(RunFilter(), 99),
    "history.submitters": lambda s: History(s.database).submitters(),
    "find_activity": lambda s: find_activity(s.database, ActivityFilter(), 200),
}
HERE = {"queue.unfinished_parents"}  # empty for everybody here: nothing waits for a parent
WRITES: dict[str, Call] = {
    "runs.submit": lambda s, i: s.runs.submit(train_spec(SimpleNamespace(id=i.dataset), seed=5), by=VIEWER),
    "runs.delete": lambda s, i: s.runs.delete(i.run, cascade=True),
    "queue.claim": lambda s, i: s.queue.claim(i.child, "worker-2", "cpu"),
    "queue.move_to_front": lambda s, i: s.queue.move_to_front(i.child, VIEWER),
    "attempts.request_stop": lambda s, i: s.attempts.request_stop(i.child),
    "attempts.retry": lambda s, i: s.attempts.retry(i.run),
    "campaigns.create": lambda s, i: s.campaigns.create("mine", i.dataset, None, range(3)),
    "campaigns.extend": lambda s, i: s.campaigns.extend(i.campaign, [20, 21]),
    "campaigns.close": lambda s, i: s.campaigns.close(i.campaign),
    "campaigns.reopen": lambda s, i: s.campaigns.reopen(i.campaign),
    "campaigns.set_deadline": lambda s, i: s.campaigns.set_deadline(i.campaign, datetime.now(UTC)),
    "campaigns.set_members": lambda s, i: s.campaigns.set_members(i.campaign, [VIEWER]),
    "assignments.assign": lambda s, i: s.assignments.assign(i.campaign, VIEWER, 3, "tab"),
    "assignments.release": lambda s, i: s.assignments.release(i.campaign, ANNOTATOR, "tab"),
    "answers.save": lambda s, i: s.answers.save(i.campaign, VIEWER, [_answer(i)]),
    "answers.take_back": lambda s, i: s.answers.take_back(i.campaign, VIEWER, ["a1"]),
    "answers.deliver": lambda s, i: s.answers.deliver(i.campaign, VIEWER, [_answer(i)]),
    "answers.import_file": lambda s, i: s.answers.import_file(i.campaign, VIEWER, {VIEWER: [_answer(i)]}),
    "decisions.counting": lambda s, i: s.decisions.counting(i.campaign),
    "decisions.decide": lambda s, i: s.decisions.decide(i.campaign, VIEWER, _answer(i)),
    "decisions.set_gold": lambda s, i: s.decisions.set_gold(i.campaign, {i.item: 1}, VIEWER),
    "tags.add": lambda s, i: s.tags.add(i.dataset, [3], "mine"),
    "tags.remove": lambda s, i: s.tags.remove(i.dataset, [0], SECRET),
    "filters.save": lambda s, i: s.filters.save(i.dataset, "mine", ImageFilter(labels=("zero",))),
    "filters.remove": lambda s, i: s.filters.remove(i.filter),
    "shapes.keep": lambda s, i: s.shapes.keep(i.dataset, 3, SHAPE, (9, 9), id="s9"),
    "later_drawings.bring": lambda s, i: s.later_drawings.bring(i.dataset),
    "pipelines.create": lambda s, i: s.pipelines.create("training", [i.run]),
    "notes.write": lambda s, i: s.notes.write(i.run, name="mine", text="", tags=[]),
    "notes.rename": lambda s, i: s.notes.rename(i.dataset, "mine"),
    "notes.describe": lambda s, i: s.notes.describe(i.campaign, text="mine"),
    "sharing.set": lambda s, i: s.sharing.set(i.dataset, private=False),
    "removals.remove": lambda s, i: s.removals.remove(i.dataset),
    "artifacts.remove": lambda s, i: s.artifacts.remove(i.run),
    "artifacts.remove_dataset": lambda s, i: s.artifacts.remove_dataset(i.dataset),
    "artifacts.keep_records": lambda s, i: s.artifacts.keep_records(i.run),
    "artifacts.tidy": lambda s, i: s.artifacts.tidy(i.run),
}
OTHERS: dict[str, str] = {  # method -> why it is not called above
    "datasets.register": "tested below",
    "datasets.removal_of": "tested below",
    "runs.removal_of": "tested below",
    "datasets.versions": "tested below",
    "datasets.versions_at": "tested below",
    "datasets.before": "reads versions",
    "later_drawings.find": "what bring calls",
    **dict.fromkeys(
        ("datasets.table_of", "datasets.kept_table", "datasets.change_since", "campaigns.has_space"),
        "takes what was just fetched",
    ),
    **dict.fromkeys(("campaigns.require_space", "notes.former_names"), "takes what was just fetched"),
    "artifacts.require_place": "looks at the bucket alone",
    "datasets.require_open": "takes paths: test_store_withheld.py",
    **dict.fromkeys(("lineage.reference_of", "lineage.attention_of", "lineage.maps_of"), "tested below"),
    **dict.fromkeys(("lineage.finished_passes", "lineage.runs_with_maps"), "tested below"),
    **dict.fromkeys(
        ("lineage.finished_like", "lineage.scored_last", "shapes.on"), "as what calls it and what it calls"
    ),
    **dict.fromkeys(("runs.shards", "runs.waiting_for"), "tested below"),
    **dict.fromkeys(("attempts.retried_with", "attempts.stopped_with"), "walks as lineage.descendants"),
    **dict.fromkeys(("queue.pause", "queue.resume", "queue.paused", "queue.claim_best"), "of the whole machine"),
    **dict.fromkeys((f"workers.{name}" for name in ("beat", "block", "leave", "forget_silent")), "of machines"),
    "workers.have_gpu": "of machines",
    "removals.finish": "a worker's, of what is removed already",
    "storage.areas": "of the whole disk",
    **dict.fromkeys(("members.all", "members.role", "members.require", "members.set_role", "members.remove"), "people"),
    **dict.fromkeys(("events.add", "events.note"), "writes what it is given"),
    "datasets.forget": "memory alone",
    **dict.fromkeys(
        (f"attempts.{name}" for name in ("renew", "progress", "stop_requested", "finish", "fail", "cancel", "requeue")),
        "a worker's, with the token of its attempt",
    ),
    **dict.fromkeys(("attempts.overdue", "attempts.lose_expired", "attempts.lose"), "a worker's"),
    **dict.fromkeys(
        (f"artifacts.{name}" for name in ("seen_by", "attempt", "checkpoints", "publish", "publish_dataset")),
        "a worker's, below the place that is tested",
    ),
    **dict.fromkeys(
        ("artifacts.dataset_draft", "artifacts.places", "artifacts.dataset_places"), "below the place that is tested"
    ),
}


def _public_methods() -> set[str]:
    """Every "object.method" of the store's objects."""
    kinds = get_type_hints(Store)
    plumbing = ("settings", "database")
    return {
        f"{one.name}.{name}"
        for one in fields(Store)
        if one.name not in plumbing
        for name, method in vars(kinds[one.name]).items()
        if callable(method) and not name.startswith("_")
    }


def _outcome(call: Call, store: Store, ids: Ids) -> str:
    """What it returned or raised, as text; the ids that were asked for are all the same."""
    try:
        told = repr(call(store, ids))
    except SlimError as error:
        told = f"{type(error).__name__}: {error}"
    for name, value in asdict(ids).items():
        told = told.replace(str(value), name) if isinstance(value, str) else told
    return told


def _rows(store: Store) -> dict[str, list[Any]]:
    with store.database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table))))
            for table in schema.metadata.sorted_tables
        }


def test_every_public_method_of_the_store_is_walked_here() -> None:
    walked = {*READS, *LISTS, *WRITES, *OTHERS}
    methods = _public_methods()
    assert methods - walked == set(), "a new method: say here what whoever is not shown the data set gets"
    assert {one for one in walked - methods if not one.startswith(("history.", "find_"))} == set()


def test_every_table_has_a_rule() -> None:
    assert set(RULES) == set(schema.metadata.tables)
    reach_a_dataset = {"dataset_id", "campaign_id", "run_id", "pipeline_id", "subject"}
    for name, table in schema.metadata.tables.items():
        assert (RULES[name] == "1 = 1") == (not reach_a_dataset & set(table.c.keys()) and name != "datasets"), name


@pytest.mark.slow
def test_whoever_it_is_not_shared_with_reads_what_a_missing_one_gives(private: Private) -> None:
    for who in (VIEWER, ANNOTATOR, LEAD, "guest"):
        view = private.store.seen_by(who)
        for name, call in READS.items():
            there, missing = (_outcome(call, view, ids) for ids in (private.ids, Ids()))
            assert there == missing, f"{name} for {who}"


@pytest.mark.slow
def test_owner_admins_and_whom_it_is_shared_with_read_it(private: Private) -> None:
    for who in (OWNER, ADMIN, "sam@lab.org", " Olga@Lab.org"):
        view = private.store.seen_by(who)
        for name, call in READS.items():
            if name == "sharing.may_change" and who.startswith("sam"):
                assert call(view, private.ids) is False
                continue
            there, missing = (_outcome(call, view, ids) for ids in (private.ids, Ids()))
            assert there != missing, f"{name} for {who}"


def test_lists_and_counts_leave_out_what_is_private(private: Private) -> None:
    secrets = [SECRET, OWNER, *(value for value in asdict(private.ids).values() if isinstance(value, str))]
    for name, call in LISTS.items():
        mine, others = repr(call(private.store.seen_by(OWNER))), repr(call(private.store.seen_by(LEAD)))
        assert name in HERE or any(one in mine for one in secrets), name
        told = [one for one in secrets if one in others]
        assert not told or (name.startswith(("events", "find_activity")) and told == [OWNER]), f"{name}: {told}"


@pytest.mark.slow
def test_whoever_it_is_not_shared_with_changes_nothing(private: Private) -> None:
    before, view = _rows(private.store), private.store.seen_by(LEAD)
    files = sorted(private.store.settings.home.rglob("*"))
    for name, call in WRITES.items():
        there, missing = (_outcome(call, view, ids) for ids in (private.ids, Ids()))
        assert there.startswith("NotFoundError") if name.startswith("artifacts.") else there == missing, name
        assert _rows(private.store) == before, name
    assert sorted(private.store.settings.home.rglob("*")) == files


def test_a_role_that_it_is_shared_with_stands_for_the_higher_ones(private: Private) -> None:
    store, dataset = private.store, private.ids.dataset
    seen = {}
    for role in ("annotator", "lead"):
        store.sharing.set(dataset, private=True, shared_with=[role])
        seen[role] = [who for who in (VIEWER, ANNOTATOR, LEAD, ADMIN) if store.seen_by(who).datasets.find(dataset)]
    assert seen == {"annotator": [ANNOTATOR, LEAD, ADMIN], "lead": [LEAD, ADMIN]}
    store.members.remove(LEAD)
    assert store.seen_by(LEAD).datasets.find(dataset) is None  # the next statement, in the view that was there


def test_only_its_owner_and_admins_say_who_sees_it(private: Private) -> None:
    store, dataset = private.store, private.ids.dataset
    with pytest.raises(ForbiddenError, match=f"Only {OWNER} and admins"):
        store.seen_by("sam@lab.org").sharing.set(dataset, private=False)
    assert not store.seen_by("sam@lab.org").sharing.may_change(dataset)
    opened = store.seen_by(ADMIN).sharing.set(dataset, private=False, by=ADMIN)
    assert not opened.private and store.seen_by(VIEWER).datasets.fetch(dataset)
    closed = store.seen_by(OWNER).sharing.set(dataset, private=True, by=OWNER)  # switched back: as it was
    assert closed.shared_with == ("sam@lab.org",) and store.seen_by(VIEWER).datasets.find(dataset) is None
    told = [(one.what, one.details) for one in store.events.recent(2, subject=dataset)]
    assert told == [("dataset.private", {"shared_with": ["sam@lab.org"]}), ("dataset.visible", {})]
    assert store.events.recent(200) != (again := store.events.recent(1)) and again
    store.sharing.set(dataset, private=True)  # nothing changes, so nothing is logged
    assert store.events.recent(1) == again


@pytest.mark.parametrize("strange", ["sam", "viewer", "admin", "a b@lab.org", "@"])
def test_it_is_shared_with_e_mails_and_roles_alone(private: Private, strange: str) -> None:
    with pytest.raises(SpecRefusedError, match="is neither an e-mail nor one of the roles annotator, lead"):
        private.store.sharing.set(private.ids.dataset, private=True, shared_with=[strange])


def test_it_is_shared_with_200_at_most_each_counted_once_and_an_empty_one_is_nobody(private: Private) -> None:
    sharing, many = private.store.sharing, [f"p{k:03}@lab.org" for k in range(201)]
    with pytest.raises(SpecRefusedError, match="^201 people were named: share it with 200 at most, or with a role"):
        sharing.set(private.ids.dataset, private=True, shared_with=many)
    with private.store.database.write() as connection:
        share(connection, private.ids.campaign, [ANNOTATOR])
    named = [*reversed(many[:200]), f" {many[0].upper()} ", " "]
    assert sharing.set(private.ids.dataset, private=True, shared_with=named).shared_with == tuple(many[:200])
    with private.store.database.read() as connection:
        assert shared_with(connection, private.ids.campaign) == (ANNOTATOR,), "that of something else stays"
    with pytest.raises(NotFoundError, match="There is no data set or campaign d-none"):
        sharing.set("d-none", private=True)


def test_the_same_files_are_not_registered_a_second_time_by_somebody_else(private: Private) -> None:
    view, before = private.store.seen_by(LEAD), _rows(private.store)
    with pytest.raises(PathRefusedError, match=f"{private.table.root} is not allowed"):
        view.datasets.register(imported(private.table), by=LEAD)
    assert _rows(private.store) == before and news_of(view.datasets, private.table) == ""
    assert private.store.seen_by(OWNER).datasets.register(imported(private.table), by=OWNER).id == private.ids.dataset


def test_a_new_version_is_as_private_as_the_one_before(private: Private, tmp_path: Path) -> None:
    store, table = private.store, image_table(tmp_path / SECRET, n_train=44, name=SECRET, seed=1)
    newer = store.seen_by("sam@lab.org").datasets.register(imported(table), by="sam@lab.org")
    assert store.sharing.of(newer.id) == type(store.sharing.of(newer.id))(
        "sam@lab.org", private=True, shared_with=(OWNER, "sam@lab.org")
    )
    assert [one.id for one in store.seen_by(OWNER).datasets.versions(newer)] == [newer.id, private.ids.dataset]
    assert store.seen_by(LEAD).datasets.versions(newer) == []
    assert splits_before(store.seen_by(LEAD).datasets, table.root, SECRET, 0) == {}
    assert splits_before(store.seen_by(OWNER).datasets, table.root, SECRET, 0)


def test_what_became_of_a_run_is_told_to_those_alone_who_were_shown_its_data(
    private: Private, finish: Callable[..., Any]
) -> None:
    store = private.store
    other = store.datasets.register(imported(image_table(private.table.root / "other", name="other", seed=4)), by=OWNER)
    run, _ = store.runs.submit(train_spec(other), by=OWNER)
    finish(run)
    store.sharing.set(other.id, private=True)
    store.removals.remove(other.id, by=OWNER)
    assert store.seen_by(LEAD).runs.removal_of(run.id) is None
    assert "was removed" in str(store.seen_by(OWNER).runs.removal_of(run.id))


def test_removing_a_data_set_spares_the_images_of_one_that_the_person_is_not_shown(private: Private) -> None:
    """Both were unpacked from one upload: whoever removes theirs must not take the other's images along."""
    store = private.store
    upload = store.settings.home / "uploads" / "u-1"
    mine = store.datasets.register(imported(image_table(upload / "mine", name="mine", seed=3)), by=LEAD)
    other = store.datasets.register(imported(image_table(upload / "other", name="other", seed=4)), by=OWNER)
    store.sharing.set(other.id, private=True)
    store.seen_by(LEAD).removals.remove(mine.id, by=LEAD)
    assert (upload / "other").is_dir()
    store.removals.remove(other.id, by=OWNER)
    assert not upload.exists()
    assert store.seen_by(LEAD).datasets.removal_of(other.id) is None  # its name is not told afterwards either


def test_an_id_that_is_used_in_what_is_hidden_is_refused_in_a_sentence_without_a_name(private: Private) -> None:
    view = private.store.seen_by(LEAD)
    (mine,) = view.datasets.all()
    campaign = view.campaigns.create("mine", mine.id, None, range(12), by=LEAD)
    (item,) = view.assignments.assign(campaign.id, LEAD, 1, "tab").items
    for send in (
        lambda id: view.answers.deliver(campaign.id, LEAD, [AnswerIn(f"a{id}", item.id, 1)], "tab"),
        lambda id: view.shapes.keep(mine.id, 3, SHAPE, (9, 9), id=f"s{id}", by=LEAD, member=True),
    ):
        with pytest.raises(SlimError, match=r"The (answer )?id .1 was used for another (answer|image)") as refused:
            send(1)
        assert not [one for one in (SECRET, private.ids.dataset, private.ids.campaign) if one in str(refused.value)]
        send("-of-my-own")


def test_a_hidden_run_keeps_its_place_in_the_queue(private: Private) -> None:
    store = private.store
    own = store.seen_by(LEAD).queue.waiting()
    assert [one.queue for one in own] == [one.queue for one in store.queue.waiting()]
    assert [bool(one.id) for one in own] == [True, False] and own[1].created_by == own[1].dataset_id == ""
    first = store.seen_by(OWNER).queue.move_to_front(private.ids.child, OWNER)
    (mine,) = [run for run in store.seen_by(LEAD).runs.all() if run.status == "queued"]
    assert store.seen_by(LEAD).queue.move_to_front(mine.id, LEAD) == first + 1  # before the hidden one too
    assert store.seen_by(LEAD).workers.alive()[0].current_run == "hidden"


def test_walks_and_passes_stop_at_what_is_hidden(private: Private) -> None:
    view, ids, run = private.store.seen_by(LEAD), private.ids, private.held.run
    assert view.lineage.finished_passes(ids.dataset, {}) == view.lineage.runs_with_maps(ids.dataset) == []
    assert view.runs.shards(ids.run) == view.runs.waiting_for(ids.child) == []
    space = Run(**{**vars(run), "kind": "space", "spec": {"attention": ids.run, "model": ids.run}})
    with pytest.raises(SpecRefusedError):
        view.lineage.reference_of(space)
    with pytest.raises(NotFoundError):
        view.lineage.attention_of(space)
    assert view.lineage.maps_of(Run(**{**vars(run), "spec": {"model": ids.run, "split": "val"}}), []) is None


def test_a_view_uses_the_indexes_and_refuses_what_it_cannot_narrow(private: Private) -> None:
    view = private.store.seen_by(LEAD)
    with statements(view.database) as sent:
        view.runs.all(dataset=private.ids.dataset, limit=5)
    if view.database.is_sqlite:
        query = next(one for one in sent if "FROM runs" in one)
        with private.store.database.read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (LEAD,) * (query.count("?"))).all()
        assert any("ix_runs_dataset_id_created_at" in str(step) for step in plan), plan
    with pytest.raises(SlimError, match="TextClause cannot be narrowed"), view.database.read() as connection:
        connection.execute(sa.text("SELECT * FROM datasets"))
    foreign = sa.Table("foreign", sa.MetaData(), sa.Column("id", sa.Integer))
    with pytest.raises(SlimError, match="foreign has no rule"), view.database.read() as connection:
        connection.execute(sa.select(foreign))


OF_CAMPAIGNS = ("campaigns.", "assignments.", "answers.", "decisions.")
BY_DATASET = ("campaigns.all", "campaigns.create")


@pytest.mark.slow
def test_a_private_campaign_is_there_for_who_opened_it_admins_and_its_members_alone(private: Private) -> None:
    store, ids = private.store, private.ids
    store.sharing.set(ids.dataset, private=False)
    store.campaigns.set_members(ids.campaign, [" Sam@Lab.org", "annotator"])  # a name is no role
    store.sharing.set(ids.campaign, private=True, by=OWNER)
    before = _rows(store)
    for name, call in (READS | WRITES).items():
        if not name.startswith(OF_CAMPAIGNS) or name in BY_DATASET:
            continue
        for who in (LEAD, ANNOTATOR, VIEWER):
            view = store.seen_by(who)
            there, missing = (_outcome(call, view, each) for each in (ids, Ids()))
            assert there == missing and _rows(store) == before, f"{name} for {who}"
        for who in (OWNER, ADMIN, "sam@lab.org") if name in READS else ():
            view = store.seen_by(who)
            assert _outcome(call, view, ids) != _outcome(call, view, Ids()), f"{name} for {who}"
    assert store.seen_by(LEAD).campaigns.all(ids.dataset) == []
    assert store.seen_by(LEAD).runs.fetch(ids.run)  # of the data set, which everybody sees


def test_the_members_of_a_private_campaign_are_those_of_now(private: Private) -> None:
    store, ids = private.store, private.ids
    store.sharing.set(ids.dataset, private=False)
    closed = store.campaigns.create(
        "c", ids.dataset, None, [0, 1], by=LEAD, settings=CampaignSettings(options={"members": [OWNER]}, private=True)
    )
    seen = {who: store.seen_by(who).campaigns.all() for who in (OWNER, LEAD, ANNOTATOR)}
    assert [len(each) for each in seen.values()] == [2, 2, 1]
    store.seen_by(LEAD).campaigns.set_members(closed.id, [ANNOTATOR], by=LEAD)
    assert len(store.seen_by(ANNOTATOR).campaigns.all()) == 2 and len(store.seen_by(OWNER).campaigns.all()) == 1
    with pytest.raises(SpecRefusedError, match="private to its annotators"):
        store.sharing.set(closed.id, private=True, shared_with=[OWNER])
    with pytest.raises(ForbiddenError, match=f"Only {LEAD} and admins"):
        store.seen_by(ANNOTATOR).sharing.set(closed.id, private=False)
    store.seen_by(LEAD).sharing.set(closed.id, private=False, by=LEAD)
    assert len(store.seen_by(VIEWER).campaigns.all()) == 2
    assert store.events.recent(1)[0].what == "campaign.visible"
