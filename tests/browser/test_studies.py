"""The page of studies while one runs: it is computed elsewhere, as by ``slim study``."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from slim_core.runs.study.spec import Study
from slim_core.settings import Settings
from slim_core.store import Store
from tests.browser.steps import visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

STUDY = Study(name="choose", sets=["digits"], methods=["erm-converged", "random", "slim"], seeds=[0], answers=0.03)


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without a study."""
    return tmp_path_factory.mktemp("studies") / "home"


def ended(method: str) -> dict[str, object]:
    """What a case came to."""
    about = {"set": "digits", "seed": 0, "method": method, "annotator": "", "answers": 0.0, "label": method}
    return {**about, "labels_used": "none", "zero_of": [], "status": "done", "wga": 0.7, "average": 0.9, "seconds": 4.0}


def test_a_study_that_begins_and_its_cases_as_they_end_appear_by_themselves(
    page: Page, own_address: str, own_home: Path
) -> None:
    store = Store.open(Settings(home=own_home))
    visit(page, own_address, "studies")
    expect(page.get_by_text("save such a file as")).to_be_visible()
    study = store.studies.start(STUDY.name, STUDY.digest, STUDY.model_dump(mode="json"), 3)
    expect(page.get_by_text("No case has ended yet.")).to_be_visible()
    for method in ("erm-converged", "random"):
        store.studies.record(study.id, method, ended(method))
    running = page.get_by_text("2 of 3 cases. The study is running")
    expect(running).to_be_visible()
    page.get_by_role("radio", name="Cost").click()
    store.studies.record(study.id, "slim", ended("slim"))
    store.studies.finish(study.id)
    expect(running).to_be_hidden()
    expect(page.get_by_text("3 of 3 cases")).to_be_visible()
    expect(page.get_by_role("radio", name="Cost")).to_be_checked()  # what was chosen stays
    store.close()
