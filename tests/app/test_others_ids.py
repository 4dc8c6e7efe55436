"""Ids of what is private to somebody else, thousands of them at random, in every place of every route and page."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from app import access, server, session
from app.access import Viewer
from app.navigation import PAGES
from app.routes.exports import export_url
from app.routes.images import KINDS, image_url
from slim_core.data.image_filter import ImageFilter
from slim_core.export.registry import FORMS
from slim_core.store.results import ARRAYS_OF_IMAGES
from tests.app.conftest import Show, Sign, drawn
from tests.app.test_private import OPEN

OWNER = "olga@lab.org"
ROLES = {"adam@lab.org": "admin", OWNER: "lead", "lea@lab.org": "lead", "ann@lab.org": "annotator"}
OTHERS = {"lea@lab.org": "lead", "ann@lab.org": "annotator", "vic@lab.org": "viewer", "guest": "viewer"}
SECRET = "hush"  # in every id, name and text of what is private
N_REQUESTS, N_PAGES = 4_000, 90
SHAPE = [[[1, 1], [20, 1], [10, 20]]]
_ID = re.compile(r"\b(d|r|c|p|v|s)-([a-z0-9]{10})\b")
_NUMBERS = {"items": ("id",), "answers": ("item_id",), "current_answers": ("item_id",)}  # shifted in the twin
_COPIED = (
    "datasets", "runs", "run_parents", "campaigns", "items", "answers", "current_answers", "tags", "filters", "shapes",
    "pipelines", "pipeline_runs", "notes", "note_tags",
)  # fmt: skip
_SHIFT = 100_000
PARAMS = (
    "dataset", "run", "space", "attention", "subset", "campaign", "model", "preview", "with", "after",
    "filter", "selection", "image", "row", "kind", "by", "data", "before",
)  # fmt: skip


@pytest.fixture
def ids(filled_home: Path, as_person: Sign) -> dict[str, list[Any]]:
    """Kind -> the ids of olga's: a private copy of everything that everybody sees, under names of their own."""
    as_person("")
    store = session.whole_store()
    for who, role in ROLES.items():
        store.members.set_role(who, role)
    (dataset,), (campaign,) = store.datasets.all(), store.campaigns.all()
    store.campaigns.reopen(campaign.id, by="tests")
    store.shapes.keep(dataset.id, 3, SHAPE, (32, 32), id=f"s-{token_hex(5)}", by="tests")
    store.tags.add(dataset.id, [0, 1], "seen", by="tests")
    store.filters.save(
        dataset.id, "some", ImageFilter(labels=store.datasets.table(dataset.id).label_names[:1]), by="tests"
    )
    store.notes.describe(dataset.id, text="A note.", tags=["noted"], by="tests")
    store.pipelines.create("training", [run.id for run in store.runs.all("train")], by="tests")
    session.reset()
    found = twin(filled_home)
    session.whole_store().sharing.set(found["d"][0], private=True, by=OWNER)
    return found


def twin(home: Path) -> dict[str, list[Any]]:
    """A copy of every row and artifact; kind -> its ids, "item" and "answer" among them."""
    found: dict[str, set[Any]] = {}

    def renamed(match: re.Match[str]) -> str:
        new = f"{match[1]}-{SECRET}{match[2]}"
        found.setdefault(match[1], set()).add(new)
        return new

    with closing(sqlite3.connect(home / "slim.db")) as database, database:
        database.row_factory = sqlite3.Row
        rows = {table: [dict(row) for row in database.execute(f"SELECT * FROM {table}")] for table in _COPIED}
        for table, each in rows.items():
            for row in each:
                _insert(database, table, {k: _ID.sub(renamed, v) if isinstance(v, str) else v for k, v in row.items()})
    found["item"] = {row["id"] + _SHIFT for row in rows["items"]}
    found["answer"] = {f"{SECRET}-{row['id']}" for row in rows["answers"]}
    for area in ("runs", "datasets"):
        for folder in list((home / area).iterdir()):
            if _ID.search(folder.name):
                shutil.copytree(folder, folder.with_name(_ID.sub(rf"\1-{SECRET}\2", folder.name)))
    return {kind: sorted(each) for kind, each in found.items()}


def _insert(database: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    row.pop("seq", None)
    row |= {name: row[name] + _SHIFT for name in _NUMBERS.get(table, ())}
    row |= {name: OWNER for name in ("created_by", "drawn_by", "added_by", "changed_by") if name in row}
    own = {"name": f"{SECRET} {row.get('name')}", "text": SECRET, "guideline": SECRET, "tag": SECRET, "message": SECRET}
    row |= {name: value for name, value in own.items() if name in row}
    row |= {name: SECRET + str(row[name])[4:] for name in ("fingerprint", "spec_hash", "digest") if name in row}
    row |= {"id": f"{SECRET}-{row['id']}"} if table == "answers" else {}
    row |= {"annotator": f"{SECRET}@lab.org"} if "annotator" in row else {}
    names = ", ".join(f'"{name}"' for name in row)
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


@dataclass(frozen=True)
class Call:
    """A request. ``of``: what it is about; ``beside``: what else it names."""

    route: str
    of: str
    url: str
    body: dict[str, object] | None = None
    beside: tuple[object, ...] = ()

    def sent(self, client: TestClient, ticket: str) -> Response:
        """As a page sends it."""
        headers = {access.TOKEN_HEADER: ticket}
        if self.body is None:
            return client.get(self.url, headers=headers)
        return client.post(self.url, headers=headers, json=self.body)


class Calls:
    """Well-formed requests to every route, by ids that ``pick`` chooses for a kind."""

    def __init__(self, seed: int, pick: Callable[[str], Any]) -> None:
        self.random, self._pick = random.Random(seed), pick
        self.makes: dict[str, Callable[[], Call]] = {
            "/api/image/{dataset}/{row:number}": self._image,
            "/api/export/{of}/{form}": self._export,
            "/api/points/{run}/{name}.bin": self._points,
            "/api/points/{run}/at/{position:number}": self._point,
            "/api/shapes/image": self._shown,
            "/api/shapes": self._drawn,
            **{f"/api/{name}": partial(self._annotate, name) for name in ("next", "answers", "given", "release")},
        }

    def _image(self) -> Call:
        dataset, run, kind = self._pick("d"), self._pick("r"), self.random.choice(KINDS)
        row = self.random.randrange(40)
        url = image_url(dataset, row, "", kind=kind, run=self.random.choice([run, run, None]), size=32)
        return Call("/api/image/{dataset}/{row:number}", dataset, url, beside=(run,))

    def _export(self) -> Call:
        of = self._pick(self.random.choice("rc"))
        return Call("/api/export/{of}/{form}", of, export_url(of, self.random.choice(list(FORMS)), ""))

    def _points(self) -> Call:
        run, name = self._pick("r"), self.random.choice(list(ARRAYS_OF_IMAGES))
        return Call("/api/points/{run}/{name}.bin", run, f"/api/points/{run}/{name}.bin")

    def _point(self) -> Call:
        run = self._pick("r")
        position = self.random.randrange(60)
        return Call("/api/points/{run}/at/{position:number}", run, f"/api/points/{run}/at/{position}")

    def _shown(self) -> Call:
        dataset = self._pick("d")
        return Call("/api/shapes/image", dataset, "/api/shapes/image", {"dataset": dataset, "row": 3})

    def _drawn(self) -> Call:
        dataset, id = self._pick("d"), self._pick("s")
        body = {"dataset": dataset, "row": self.random.randrange(40), "id": id, "split": "train", "polygons": SHAPE}
        return Call("/api/shapes", dataset, "/api/shapes", body, (id,))

    def _annotate(self, name: str) -> Call:
        campaign, item, id = self._pick("c"), self._pick("item"), self._pick("answer")
        answer = {"id": id, "item": item, "value": self.random.choice([1, 0, -1, None]), "seen": {}, "ms": 5}
        body = {"campaign": campaign, "session": self._pick("r"), "n": 3, "answers": [answer], "was": [self._pick("r")]}
        return Call(f"/api/{name}", campaign, f"/api/{name}", body, (item, id, body["session"], body["was"][0]))


def rows_of(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that is private, as the database has it."""
    with closing(sqlite3.connect(home / "slim.db")) as database:
        every = {table: database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in _COPIED}
    return {table: [row for row in rows if SECRET in str(row)] for table, rows in every.items()}


def test_every_route_is_tried() -> None:
    assert set(Calls(0, lambda _: "").makes) | OPEN == {route.path for route in server.ROUTES}


@pytest.mark.slow
def test_no_route_does_or_tells_anything_by_the_ids_of_others(
    ids: dict[str, list[Any]], filled_home: Path, client: TestClient
) -> None:
    seen = {kind: [_seen(one) for one in each] for kind, each in ids.items()}
    dice = random.Random(7)

    def hidden(kind: str) -> Any:
        """Mostly of the kind that belongs there, else of another; what a page makes up itself is one that is used."""
        return dice.choice(ids[kind if dice.random() < 0.8 or kind in ("item", "answer", "s") else dice.choice("drcp")])

    calls, mixed = (
        Calls(8, hidden),
        Calls(9, lambda kind: hidden(kind) if dice.random() < 0.5 else dice.choice(seen[kind])),
    )
    before, statuses = rows_of(filled_home), Counter[tuple[str, int]]()
    for n in range(N_REQUESTS):
        who = dice.choice(list(OTHERS))
        makes = calls if n % 2 else mixed
        call = makes.makes[dice.choice(list(makes.makes))]()
        limits = dice.choice([{}, {"datasets": (call.of,)}, {"datasets": tuple(ids["d"])}, {"campaigns": (call.of,)}])
        found = call.sent(client, access.sign(Viewer(who, OTHERS[who], **limits)))
        about = (who, limits, call, found.status_code, found.text[:300])
        statuses[call.route, found.status_code] += 1
        if SECRET in call.of or call.of not in str(seen):
            assert found.status_code in (403, 404), about
        assert found.status_code < 500, about
        assert SECRET not in _without(found.content.decode(errors="replace"), call.of, *call.beside), about
    assert rows_of(filled_home) == before
    assert {route for route, status in statuses if status == 200} == set(calls.makes), (
        "what everybody sees was asked for"
    )


@pytest.mark.slow
def test_no_page_shows_anything_by_the_ids_of_others(ids: dict[str, list[Any]], as_person: Sign, show: Show) -> None:
    dice = random.Random(7)
    every = [str(one) for each in ids.values() for one in each]
    names = [name for entries in PAGES.values() for name, _ in entries]
    for n in range(N_PAGES):
        who = dice.choice(list(OTHERS))
        as_person("" if who == "guest" else who)
        params = {name: dice.choice(every) for name in dice.sample(PARAMS, dice.choice([1, 2, 3]))}
        page = names[n % len(names)]
        assert SECRET not in _without(drawn(show(page, **params)), *params.values()), (who, page, params)
    as_person(OWNER)
    assert SECRET in drawn(show("data", dataset=ids["d"][0])), "its owner sees it"


def _seen(hidden: Any) -> Any:
    """What everybody sees in place of this id of the twin."""
    if isinstance(hidden, int):
        return hidden - _SHIFT
    return str(hidden).removeprefix(f"{SECRET}-").replace(f"-{SECRET}", "-")


def _without(text: str, *asked: object) -> str:
    """A response without the ids that whoever asked has named."""
    for one in sorted(map(str, asked), key=len, reverse=True):
        text = text.replace(one, "")
    return text
