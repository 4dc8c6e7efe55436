"""The server as a whole: st.App with its routes and lifespan, and what it must never load."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from streamlit import config

from app import session
from slim_core.store import Store

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "app" / "main.py"


def load_main():
    """main.py as Streamlit's server imports it."""
    spec = importlib.util.spec_from_file_location("main", MAIN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def configured(monkeypatch):
    """The settings beside the script, as `streamlit run` reads them."""
    with monkeypatch.context() as patch:
        patch.setattr(config, "_main_script_path", str(MAIN))
        config.get_config_options(force_reparse=True)
        yield
    config.get_config_options(force_reparse=True)


@pytest.mark.redis
@pytest.mark.usefixtures("empty_home", "configured")
def test_the_server_starts_a_queue_and_workers_and_ends_them_with_itself(client_of) -> None:
    with client_of(load_main().app) as client:
        assert client.get("/assets/ui/icon.svg").headers["content-type"] == "image/svg+xml"
        until = time.monotonic() + 30
        while (silence := session.queue().silence()) or not (view := session.queue().view()).workers:
            assert time.monotonic() < until, silence
            time.sleep(0.1)
        pids = [worker.pid for worker in view.workers]
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < until, "a worker outlived its server"
        time.sleep(0.1)
    assert session.queue().silence()


@pytest.mark.slow
def test_pages_and_routes_never_load_torch(filled_home: Path) -> None:
    script = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
sys.path.insert(0, str(Path("app").resolve()))
import main
from app.navigation import PAGES
app = AppTest.from_file(str(Path("app/main.py").resolve()), default_timeout=60).run()
for name in [name for group in PAGES.values() for name, _ in group]:
    app.switch_page(f"{name}/page.py").run()
    assert not app.exception, (name, app.exception[0].stack_trace)
loaded = [name for name in ("torch", "torchvision", "umap", "numba") if name in sys.modules]
assert not loaded, loaded
"""
    environment = {
        **os.environ,
        "SLIM_HOME": str(filled_home),
        "PYTHONPATH": str(ROOT),
        "SLIM_ALLOW_WITHOUT_SIGN_IN": "true",  # a script of -c has no settings of Streamlit's beside it
    }
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_page_of_the_navigation_exists() -> None:
    from app.navigation import PAGES

    names = [name for group in PAGES.values() for name, _ in group]
    assert sorted(names) == sorted(path.parent.name for path in (ROOT / "app").glob("*/page.py"))


def test_opening_pages_of_a_read_store_changes_no_run(show, filled_home: Path) -> None:
    before = [(run.id, run.status) for run in session.store().runs.all()]
    for page in ("overview", "data", "train", "jobs"):
        show(page)
    assert [(run.id, run.status) for run in Store.open().runs.all()] == before
