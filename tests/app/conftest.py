"""A dashboard without a server: pages by AppTest, on an empty home and on one that a small loop has filled."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import _lru_cache_wrapper, cache, lru_cache, partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
import streamlit as st
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.exceptions import StarletteDeprecationWarning
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime import context
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, app_test, local_script_runner
from streamlit.testing.v1.element_tree import Button, Selectbox
from streamlit.util import calc_hash

from app import server, session
from app.session import Viewer
from app.ui import reruns, tables
from slim_core.steps.specs import parse_spec
from slim_core.store import Campaign, Dataset, Pipeline, Run, schema
from slim_core.store.members import Role
from slim_core.store.workers import Heartbeat
from tests.built_once import built_once
from tests.placed_quickly import placed_quickly

with warnings.catch_warnings():  # Starlette would rather have httpx2, which nothing else here needs
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette.testclient import TestClient

MAIN = str(Path(__file__).parents[2] / "app" / "main.py")
MARKDOWN = {"body", "label", "help", "title", "text", "caption", "content"}  # fields of Streamlit's messages
NO_MARKDOWN = {"html", "bidi_component", "arrow_data_frame", "plotly_chart", "graphviz_chart", "code"}
OF_NO_HOME = {"app.routes.assets", "app.admission"}  # what they keep is the same for every home
Show = Callable[..., AppTest]
Sign = Callable[[str], object]


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test that opens a page says so by the fixture it asks for: `make test-fast` leaves these out."""
    if isinstance(item, pytest.Function) and "show" in item.fixturenames:
        item.add_marker(pytest.mark.page)


@contextmanager
def home_at(folder: Path) -> Iterator[None]:
    """SLIM_HOME for a while, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIM_HOME", str(folder))
        patch.delenv("SLIM_REDIS_URL", raising=False)
        forget_results()
        session.reset()
        yield
    session.reset()


def forget_results() -> None:
    """What a server keeps of finished runs it keeps by their ids, which the copies of one home share."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("app.", "slim_core.annotation.")) and name not in OF_NO_HOME:
            for each in list(vars(module).values()):
                if isinstance(each, _lru_cache_wrapper):
                    each.cache_clear()


@pytest.fixture
def browser_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the browser had long heard of what the page has written into its address: an older value is a link."""
    monkeypatch.setattr(reruns, "LATE_S", 0.0)


def worker_online() -> None:
    """As if a worker had just been heard of."""
    session.store().workers.beat(Heartbeat("w", host="h", pid=1, device="cpu", queues=["gpu", "cpu"]))


def finish(run_id: str, metrics: dict, like: Run | None = None) -> None:
    """As if a worker had done the run and left nothing but these, or what another one has left."""
    store = session.store()
    token = store.attempts.claim(run_id, "w", "cpu")
    folder = store.artifacts.attempt(run_id, 1)
    if like is not None:
        shutil.copytree(store.artifacts.folder(like.id), folder, dirs_exist_ok=True)
    store.artifacts.publish(run_id, 1)
    store.attempts.finish(run_id, token, metrics)


def of_a_probe(subset: Run) -> Run:
    """As if a subset like this one came of a last layer on a pretrained network, with the very same results."""
    store, found = session.store(), {"subset": subset}
    for role, below in (("space", "subset"), ("attention", "space"), ("model", "attention")):
        found[role] = store.runs.fetch(found[below].spec[role])
    probe = {"kind": "train", "dataset": subset.dataset_id, "model": "resnet18", "mode": "last-layer"}
    made, _ = store.runs.submit(parse_spec(probe))
    finish(made.id, found["model"].metrics)
    for role, above in (("attention", "model"), ("space", "attention"), ("subset", "space")):
        answers = dict.fromkeys(("campaign", "answers_seq") if role == "subset" else ())
        made, _ = store.runs.submit(parse_spec(found[role].spec | {above: made.id} | answers))
        finish(made.id, found[role].metrics, like=found[role])
    return made


def as_if_probed(subset: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the model whose attention people judged were a last layer on its network, by one of two penalties."""
    monkeypatch.setattr("slim_core.runs.trainings.rests_on_probe", lambda *_about: True)
    store = session.store()
    reference = store.lineage.reference_of(subset)
    fitted = {**reference.spec, "refit": "l2", "refit_options": {"strengths": [0.5, 0.1]}}
    with store.database.write() as connection:
        connection.execute(sa.update(schema.runs).where(schema.runs.c.id == reference.id).values(spec=fitted))


def as_good_on(subset: Run, **asked: object) -> Run:
    """As if a model were retrained on another subset, by the spec of this one but for ``asked``, and did just as well.

    Returns its evaluation.
    """
    store = session.store()
    model = next(run for run in store.runs.children(subset.id) if run.kind == "train")
    evaluation = next(run for run in store.runs.children(model.id) if run.kind == "evaluate")
    made: Run | None = None
    for found, role in ((subset, ""), (model, "subset"), (evaluation, "model")):
        changes = {role: made.id} if made is not None else asked
        made, _ = store.runs.submit(parse_spec(found.spec | changes))
        finish(made.id, store.runs.fetch(found.id).metrics, like=found)
    assert made is not None
    return made


@pytest.fixture(scope="session", autouse=True)
def quick_pages() -> Iterator[None]:
    """What AppTest does anew for each page or each of its runs, and what no page of these tests needs, is done once."""
    scan, compiled = manifest_scanner.scan_component_manifests, ScriptCache()
    look = local_script_runner.require_widgets_deltas

    def wait(runner: local_script_runner.LocalScriptRunner, timeout: float = 3) -> None:
        runner._script_thread.join(timeout)
        look(runner, timeout)  # what it says of a page that takes too long

    with pytest.MonkeyPatch.context() as patch:
        # it reads the metadata of every installed package, in search of components
        patch.setattr(manifest_scanner, "scan_component_manifests", lru_cache(maxsize=1)(scan))
        # no browser sends cookies or headers here: a mock says so each time, a fifth of a page's computing
        patch.setattr(context, "_get_client_context", lambda: None)
        # a page asks some twenty times whether people sign in; an AppTest that is given secrets has them all the same
        patch.setattr(st.secrets, "load_if_toml_exists", lambda: False)
        # it mocks the server, and sets all that a page asks of it: one mock will do
        patch.setattr(app_test, "MagicMock", cache(app_test.MagicMock))
        # it goes through all messages of a page each millisecond, to see whether it is done: wait for its thread
        patch.setattr(local_script_runner, "require_widgets_deltas", wait)
        for module in (app_test, local_script_runner):  # a server compiles each script once
            patch.setattr(module, "ScriptCache", lambda: compiled)
        yield


@pytest.fixture
def empty_home(tmp_path: Path) -> Iterator[Path]:
    """A home in which nothing has happened yet."""
    with home_at(tmp_path / "home"):
        yield tmp_path / "home"


@pytest.fixture(scope="session")
def loop_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the whole loop ran once, on a small demo data set. Read it; copy to write."""
    return built_once(tmp_path_factory, "loop", lambda folder: _run_loop(folder / "home")) / "home"


@pytest.fixture
def filled_home(loop_home: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of ``loop_home`` of one's own; the images stay where they are."""
    home = tmp_path / "home"
    shutil.copytree(loop_home, home, ignore=shutil.ignore_patterns("demo-data"), copy_function=_copy)
    with home_at(home):
        yield home


def _copy(source: str, target: str) -> str:
    """The content alone: with times and attributes of 86 small files it takes twice as long."""
    with open(source, "rb", buffering=0) as read, open(target, "xb", buffering=0) as written:
        written.write(read.read())
    return target


@pytest.fixture
def own_images(loop_home: Path, filled_home: Path) -> Path:
    """The folder of the images of ``filled_home``, for a test that moves it: its data set lies here, not there."""
    folder = Path(shutil.copytree(loop_home / "demo-data", filled_home / "demo-data", copy_function=os.link))
    store = session.store()
    (dataset,) = store.datasets.all()
    table = replace(store.datasets.table(dataset.id), root=folder)
    table.save(store.artifacts.folder(dataset.id))
    with closing(sqlite3.connect(filled_home / "slim.db")) as database, database:
        database.execute("UPDATE datasets SET root = ?, fingerprint = ?", (str(folder), table.fingerprint))
    session.reset()
    return folder


@pytest.fixture
def moved_images(own_images: Path) -> Path:
    """The folder in which the images of ``filled_home`` lay; nothing of them is in memory."""
    own_images.rename(own_images.with_name("elsewhere"))
    return own_images


@pytest.fixture
def as_person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sign]:
    """as_person(e-mail): who is signed in from here on."""
    monkeypatch.setattr(session, "signs_in", lambda: True)
    yield lambda email: monkeypatch.setattr(st, "user", {"email": email, "is_logged_in": True})


@pytest.fixture
def waiting_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that takes every run, and lets all of them wait."""
    monkeypatch.setattr(session, "queue", lambda: SimpleNamespace(submit=lambda *_runs: None))


@pytest.fixture
def show() -> Show:
    """show("train", run=...) opens a page at its address, through main.py, and fails where it raised."""

    def run_page(page: str, **params: str) -> AppTest:
        app = AppTest.from_file(MAIN, default_timeout=60)
        app.query_params.update(params)
        if page != "overview":  # the first page
            app._page_hash = calc_hash(page)  # switch_page() knows the pages only after a first run, of the first page
        app.run()
        assert not app.exception, app.exception[0].stack_trace
        return app

    return run_page


def drawn(app: AppTest) -> str:
    """Everything that the page sends to the browser."""
    return "\n".join(str(getattr(node, "proto", "")) for node in app._tree)


def texts(app: AppTest) -> str:
    """What the page says in texts, notes and warnings."""
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.warning, *app.error])


def cells(app: AppTest, label: str) -> list[list[str]]:
    """The texts of a table of app/ui/tables.py, without what Markdown makes of them."""
    return [list(map(_plain, row)) for row in table_lines(app, label)[1:]]


def table_lines(app: AppTest, label: str) -> list[list[str]]:
    """The cells of a table's titles and rows, in Markdown."""
    (block,) = [one for one in app._tree if getattr(one, "key", None) == tables.key_of(label)]
    (table,) = block.markdown
    titles, _, *rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.value.split("\n")]
    return [[cell.strip() for cell in line] for line in [titles, *rows]]


def linked_runs(app: AppTest, label: str) -> list[str]:
    """The runs that a table leads to, from top to bottom."""
    return re.findall(r"\]\(jobs\?run=([\w-]+)\)", "\n".join(map("".join, table_lines(app, label))))


def _plain(markdown: str) -> str:
    coloured = re.fullmatch(r":[a-z]+\[(.*)\]", markdown, re.DOTALL)
    linked = re.fullmatch(r"\[(.*)\]\(jobs\?run=.*\)", coloured[1] if coloured else markdown, re.DOTALL)
    text = linked[1] if linked else coloured[1] if coloured else markdown
    return re.sub(r"\\(.)", r"\1", text.strip("`").replace(":small[]", ""))


def button(app: AppTest, label: str) -> Button:
    """The first button whose label begins so, also of a form."""
    return next(one for one in app.button if one.label.startswith(label))


def way_to_retrain(app: AppTest) -> Selectbox:
    """The box of the Curate page."""
    return next(one for one in app.selectbox if str(one.key).startswith("retrain-way"))


def headers(role: Role = "annotator", name: str = "ann", **limits: tuple[str, ...]) -> dict[str, str]:
    """Of a request with that person's token; ``limits``: what the token reaches."""
    return {session.TOKEN_HEADER: session.sign(Viewer(name, role, **limits))}


def newest_done(kind: str) -> Run:
    """The newest finished run of a kind."""
    return session.store().runs.all(kind=kind, status="done")[0]


def newest_pipeline(dataset: str) -> Pipeline:
    """The newest pipeline of a data set."""
    return session.store().pipelines.all(dataset)[0]


def read_as_markdown(app: AppTest) -> Iterator[str]:
    """All that the browser reads as Markdown: texts, labels, titles, help, and options that are side by side."""
    for node in app._tree:
        if (proto := getattr(node, "proto", None)) is not None and node.type not in NO_MARKDOWN:
            yield from _markdown_in(proto)


def _markdown_in(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        for one in value if field.is_repeated else (value,):
            if field.message_type is not None:
                yield from _markdown_in(one)
            elif field.name in MARKDOWN:
                yield one


def hop(app: AppTest, page: str, **params: str) -> AppTest:
    """Go on to another page in the same session, as by the sidebar; ``params``: of a link."""
    app._page_hash = calc_hash("" if page == "overview" else page)
    app.query_params.clear()
    app.query_params.update(params)
    app.run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def box(app: AppTest, param: str) -> Selectbox[str]:
    """The select box of a parameter, which is another one where a link or a new run has changed what it shows."""
    return next(one for one in app.selectbox if one.key in (f"pick-{param}", f"pick-{param}-other"))


def _run_loop(home: Path) -> None:
    from slim_core.annotation.simulated_annotator import simulate_answers
    from slim_core.data.importing import import_data
    from slim_core.data.sets.digits import DemoConfig, write_demo
    from slim_core.runs.executor import open_workbench
    from slim_core.runs.loop_runs import LoopConfig
    from slim_core.runs.methods import Loop
    from tests.annotators import median_threshold

    def annotate(campaign: Campaign) -> int:
        return simulate_answers(store, campaign.id, threshold=median_threshold(store, campaign))

    folder = home / "demo-data"
    write_demo(folder, DemoConfig(train=240, val=80, test=120))
    with home_at(home), placed_quickly():
        bench = open_workbench(device="cpu")
        store = bench.store
        dataset = store.datasets.register(import_data(folder), by="tests")
        config = LoopConfig(dataset=dataset.id, answers=0.1, train={"epochs": 2})
        loop = Loop(bench, config, annotate=annotate)
        loop.converged_erm = loop.reference  # nothing converges in two epochs
        for method in ("erm", "slim"):
            loop.outcome(method)
        store.close()


@pytest.fixture(scope="session")
def registered_home(tmp_path_factory: pytest.TempPathFactory, small_demo: Path) -> Path:
    """A home in which nothing has happened but the registration of the small demo data set. Copy it."""
    from slim_core.data.importing import import_data

    def register(folder: Path) -> None:
        with home_at(folder / "home"):
            store = session.store()
            store.datasets.register(import_data(small_demo), by="tests")
            store.close()

    return built_once(tmp_path_factory, "registered", register) / "home"


@pytest.fixture
def dataset(empty_home: Path, registered_home: Path, small_demo: Path) -> Dataset:
    """The small demo data set, registered in an otherwise empty home, or in that of another data set as the newest."""
    from slim_core.data.importing import import_data

    if (empty_home / "slim.db").exists():
        return session.store().datasets.register(import_data(small_demo), by="tests")
    shutil.copytree(registered_home, empty_home, dirs_exist_ok=True)
    (registered,) = session.store().datasets.all()
    return registered


@pytest.fixture
def older(empty_home: Path, tmp_path: Path) -> Dataset:
    """A data set that is registered before ``dataset``, which is the newest then."""
    from slim_core.data.importing import import_data
    from slim_core.data.sets.digits import DemoConfig, write_demo

    write_demo(tmp_path / "older", DemoConfig(train=20, val=10, test=10, seed=5))
    return session.store().datasets.register(import_data(tmp_path / "older", name="older"), by="tests")


@pytest.fixture
def versions(empty_home: Path, tmp_path: Path, small_demo: Path) -> tuple[Dataset, Dataset]:
    """One data set as it was registered, and again with an image less: of one name, the older first."""
    from slim_core.data.importing import import_data

    folder = Path(shutil.copytree(small_demo, tmp_path / "changing"))
    older = session.store().datasets.register(import_data(folder), by="tests")
    listed = (folder / "metadata.csv").read_text().splitlines(keepends=True)
    (folder / "metadata.csv").write_text("".join(listed[:-1]))
    newer = session.store().datasets.register(import_data(folder), by="tests")
    assert older.name == newer.name
    return older, newer


@pytest.fixture
def client() -> Iterator[TestClient]:
    """The routes alone, without Streamlit and without workers; one event loop, not a new one for each request."""
    with TestClient(Starlette(routes=server.ROUTES)) as client:
        yield client


@pytest.fixture
def client_of() -> Callable[..., TestClient]:
    """client_of(app) as a context manager also runs the app's lifespan."""
    return partial(TestClient, base_url="http://127.0.0.1:8501")
