"""What a page lets people take along: forms of runs, and files made at a press."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from app import session
from app.routes import exports
from app.routes.exports import FOLDER, ExportFolder, TemporaryFileResponse, export_url
from app.session import Viewer
from app.ui import export
from slim_core.errors import ForbiddenError
from slim_core.export.writing import FORMS, forms_of
from slim_core.store.results import AttentionResult
from tests.app.conftest import Show, Sign, newest_done

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def opened(app):
    """Its forms, which are looked up once somebody opens the popover."""
    assert "export-form" not in [box.key for box in app.selectbox]
    app.session_state["export"] = True
    return app.run()


def offered(app) -> list[str]:
    return opened(app).selectbox(key="export-form").options


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_each_page_offers_the_forms_of_what_it_shows(show) -> None:
    assert offered(show("curate")) == [form.title for form in forms_of("curate")]
    assert offered(show("attention")) == [form.title for form in forms_of("gradcam")]
    assert offered(show("space")) == [form.title for form in forms_of("gradcam") if form.what == "features"]
    model = [form.title for form in forms_of("train")]
    assert offered(show("train", run=newest_done("evaluate").spec["model"])) == model
    assert offered(show("compare"))[:3] == [*model, f"{FORMS['maps-png'].title}, test images"]


@pytest.mark.usefixtures("filled_home")
def test_a_form_is_downloaded_or_written_by_the_command_that_is_shown(show) -> None:
    app = opened(show("curate"))
    subset = newest_done("curate")
    assert f"export {subset.id} subset-csv subset-csv-{subset.id}" in app.code[0].value
    assert any("Or write it" in text.value for text in app.caption)
    app.selectbox(key="export-form").select_index(1).run()
    assert f"export {subset.id} subset-imagefolder" in app.code[0].value
    assert not any("Or write it" in text.value for text in app.caption)


@pytest.mark.usefixtures("filled_home")
def test_an_export_of_one_file_is_sent_as_it_is(client: TestClient, filled_home: Path) -> None:
    subset = newest_done("curate")
    answer = client.get(export_url(subset.id, "subset-csv", session.token(dataset=subset.dataset_id)))
    assert answer.status_code == 200 and f"{subset.id}-subset.csv" in answer.headers["content-disposition"]
    assert len(pd.read_csv(io.BytesIO(answer.content))) == subset.metrics["images_unique"]
    assert not list((filled_home / FOLDER).iterdir())


@pytest.mark.usefixtures("filled_home")
def test_an_export_of_several_files_is_a_zip_with_its_record(client: TestClient, filled_home: Path) -> None:
    run = newest_done("gradcam")
    answer = client.get(export_url(run.id, "features-npy", session.token()))
    name = f"features-npy-{run.id}"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert f"{name}/export.json" in archive.namelist()
        labels = np.load(io.BytesIO(archive.read(f"{name}/labels.npy")))
    assert len(labels) == len(AttentionResult(session.store().artifacts.folder(run.id)).rows)
    assert not list((filled_home / FOLDER).iterdir())


@pytest.mark.usefixtures("filled_home")
def test_the_address_is_for_those_who_may_see_the_data(client: TestClient) -> None:
    run = newest_done("curate")
    assert client.get(f"/api/export/{run.id}/subset-csv").status_code == 401
    elsewhere = session.sign(Viewer("ann", "viewer", ("d-other",)))
    assert client.get(export_url(run.id, "subset-csv", elsewhere)).status_code == 404
    campaign = session.store().campaigns.all()[0]
    of_another = session.sign(Viewer("ann", "viewer", None, ("c-other",)))
    assert client.get(export_url(campaign.id, "answers-csv", of_another)).status_code == 404
    assert client.get(export_url(campaign.id, "answers-csv", session.token())).status_code == 200


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(
    ("kind", "form", "sentence"),
    [
        ("curate", "subset-imagefolder", "sent to browsers"),
        ("curate", "features-npy", "has no form features-npy"),
        ("curate", "subset-xlsx", "no form 'subset-xlsx'"),
    ],
)
def test_what_cannot_be_sent_is_one_sentence(client: TestClient, kind: str, form: str, sentence: str) -> None:
    answer = client.get(export_url(newest_done(kind).id, form, session.token()))
    assert answer.status_code == 400 and sentence in answer.json()["error"]
    assert not list((session.store().settings.home / FOLDER).glob("*"))


@pytest.mark.usefixtures("filled_home")
def test_a_large_run_and_a_second_export_at_a_time_are_not_sent(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = export_url(newest_done("gradcam").id, "features-npy", session.token())
    busy = threading.Lock()
    busy.acquire()
    monkeypatch.setattr(exports, "_one_at_a_time", busy)
    answer = client.get(address)
    assert answer.status_code == 409 and "export is being" in answer.json()["error"]
    monkeypatch.setattr(exports, "MOST_BYTES", 1_000)
    assert "much to send: write it with" in client.get(address).json()["error"]


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(("asked", "status"), [("bytes=0-9", 206), ("bytes=99999999999-", 416), ("pages=1-2", 400)])
def test_nothing_is_left_of_an_export_whatever_range_of_it_is_asked_for(
    client: TestClient, filled_home: Path, asked: str, status: int
) -> None:
    address = export_url(newest_done("curate").id, "subset-csv", session.token())
    assert client.get(address, headers={"Range": asked}).status_code == status
    assert not list((filled_home / FOLDER).iterdir())


@pytest.mark.usefixtures("empty_home")
def test_nothing_is_left_where_the_browser_leaves(tmp_path: Path) -> None:
    async def send(message: dict) -> None:
        raise OSError("the browser has left")

    folder = ExportFolder(tmp_path)
    (folder.path / "features.npy").write_bytes(b"x")
    answer = TemporaryFileResponse(folder.path / "features.npy", folder, "features.npy")
    asked = {"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": "2.4"}}
    with ThreadPoolExecutor(1) as thread, pytest.raises(OSError, match="has left"):
        thread.submit(lambda: asyncio.run(answer(asked, None, send))).result()  # here, Playwright's loop may be running
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_what_a_crash_has_left_is_removed_but_not_what_is_being_sent(client: TestClient, filled_home: Path) -> None:
    exports = filled_home / FOLDER
    died = f"import pathlib, app.routes.exports as at; at.ExportFolder(pathlib.Path({str(exports)!r}))"
    subprocess.run([sys.executable, "-W", "ignore", "-c", died], check=True)
    (left,) = exports.iterdir()
    (left / "features.npy").write_bytes(b"x")
    of_an_earlier_version = exports / "of-an-earlier-version"
    of_an_earlier_version.mkdir()
    (fresh := exports / "fresh").mkdir()  # another process is about to hold it
    sent = ExportFolder(exports)
    for folder in (left, of_an_earlier_version, sent.path):
        os.utime(folder, (1, 1))
    assert client.get(export_url(newest_done("curate").id, "subset-csv", session.token())).status_code == 200
    assert {*exports.iterdir()} == {fresh, sent.path}
    sent.remove()
    assert {*exports.iterdir()} == {fresh}


ADMIN = "ada@example.org"
Made = dict[str, Callable[[], bytes]]


@pytest.fixture
def made_files(monkeypatch: pytest.MonkeyPatch) -> Made:
    """What the pages that are drawn from here on offer to download: label -> what makes it."""
    found: Made = {}
    draw = st.download_button

    def kept(label: str, data: object, *args: object, **options: object) -> bool:
        if callable(data):
            found[label] = data
        return draw(label, data, *args, **options)

    monkeypatch.setattr(st, "download_button", kept)
    return found


def in_the_server(monkeypatch: pytest.MonkeyPatch, make: Callable[[], bytes]) -> bytes:
    """As Streamlit calls it: in a thread without a session, where nobody is signed in."""
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(st, "user", {})
        return pool.submit(Context().run, make).result()


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(
    ("page", "part"),
    [
        ("activity", {}),
        ("annotate", {"section": "campaign"}),
        ("compare", {}),
        ("space", {}),
        ("jobs", {"run": "newest"}),
    ],
)
def test_what_an_admin_may_see_an_admin_may_download(
    page: str,
    part: dict[str, str],
    show: Show,
    as_person: Sign,
    made_files: Made,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session.store().members.set_role(ADMIN, "admin", by="root")
    as_person(ADMIN)
    named = {"newest": session.store().runs.all()[0].id}
    show(page, **{name: named.get(value, value) for name, value in part.items()})
    assert made_files
    for make in made_files.values():
        in_the_server(monkeypatch, make)  # which refuses by raising


@pytest.mark.usefixtures("empty_home")
def test_what_somebody_may_not_see_is_refused(
    as_person: Sign, made_files: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.store().members.set_role("vera@example.org", "viewer", by="root")
    as_person("vera@example.org")
    export.download_button("File", lambda: session.acting_as("admin").encode(), "a.txt", "text/plain", icon="download")
    with pytest.raises(ForbiddenError, match="viewer"):
        in_the_server(monkeypatch, made_files["File"])
