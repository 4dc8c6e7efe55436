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


def test_on_a_narrow_page_the_files_of_a_study_stay_beside_each_other(
    page: Page, own_address: str, own_home: Path
) -> None:
    """Its facts are longest with draws, and where the code is a version beyond a release."""
    store = Store.open(Settings(home=own_home))
    draws = STUDY.model_copy(update={"name": "draws", "draws": 5, "seeds": (0, 1, 2, 3, 4)})
    study = store.studies.start(draws.name, draws.digest, draws.model_dump(mode="json"), 3)
    store.studies.record(study.id, "random", ended("random") | {"code": "0.1.0/0017 82a15d56"})
    store.close()
    page.set_viewport_size({"width": 1024, "height": 768})
    visit(page, own_address, "studies", f"?study={study.id}")
    tops = page.locator('[class*="st-key-study-"] button').evaluate_all(
        "all => all.map((button) => [button.innerText.split('\\n').pop(), button.getBoundingClientRect().top])"
    )
    assert [name for name, _ in tops] == ["CSV", "LaTeX", "JSON", "Report"]
    assert len({top for _, top in tops}) == 1
