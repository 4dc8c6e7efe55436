"""The way from an empty home to a verdict on one data set, as the pages lead it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from playwright.sync_api import expect

from benchmarks.first_hour.folders import COLUMNS, TABLE, Folder
from benchmarks.first_hour.person import STEP_MS, DeadEndError, Person
from slim_core.store import Campaign, Store
from slim_core.store.results import AttentionResult

JOBS_S = 1800  # longest that the jobs of one half of the loop may take
QUESTIONS, COMPARISON = "Train, map attention, select candidates", "Curate, retrain, compare"
PRECISION, BRIGHT = 0.5, 0.8  # attention is right where so much of what is this bright lies on the object


@dataclass(frozen=True)
class Arrival:
    """Where it ended."""

    verdict: str  # "": nowhere
    dead_end: str = ""


def first_hour(person: Person, address: str, store: Store, folder: Folder) -> Arrival:
    """From the first page to the verdict; what is missing on the way is said."""
    try:
        person.go(address)
        register(person, folder)
        ask(person, store, folder)
        answer(person, store, folder)
        return Arrival(compare(person, store))
    except DeadEndError as end:
        person.counts.dead_ends.append(f"{folder.name}: {end}")
        return Arrival("", str(end))


def register(person: Person, folder: Folder) -> None:
    """By its path; the columns of the table are chosen beside its first rows, where they are not recognised."""
    page = person.page
    person.click(page.get_by_test_id("stSidebar").get_by_role("link", name="Data", exact=True), "the page Data")
    expect(page.get_by_role("heading", level=1, name="Data")).to_be_visible(timeout=STEP_MS)
    person.type("Folder or metadata file on this machine", str(folder.path))
    if (folder.path / TABLE).exists():
        for label, column in zip(("Image", "Label"), COLUMNS, strict=False):
            box = page.get_by_role("combobox", name=label, exact=True)
            expect(box).to_be_visible(timeout=STEP_MS)
            if column not in (box.get_attribute("value") or box.locator("..").inner_text()):
                person.choose(label, column)
    person.click(page.get_by_role("button", name="Check", exact=True), "the button Check")
    person.click(page.get_by_role("button", name="Register", exact=True), "the button Register")
    expect(page.get_by_text(str(folder.path)).first).to_be_visible(timeout=STEP_MS)


def ask(person: Person, store: Store, folder: Folder) -> None:
    """One press, and a wait, up to the questions."""
    page, known = person.page, len(store.campaigns.all())
    person.click(page.get_by_test_id("stSidebar").get_by_role("link", name="Overview", exact=True), "the page Overview")
    person.click(page.get_by_role("button", name=QUESTIONS), f"the button {QUESTIONS} for {folder.name}")
    person.wait(lambda: _has_ended(store, known, folder), JOBS_S)


def answer(person: Person, store: Store, folder: Folder) -> None:
    """Every image by a key: what the mask says of the attention."""
    page, campaign = person.page, store.campaigns.all()[0]
    person.click(page.get_by_role("link", name="Answer").first, "the link Answer")
    name = page.get_by_label("Your name", exact=True)
    ready = page.locator(".slim-annotator[data-ready=true]")
    expect(name.or_(ready).first).to_be_visible(timeout=STEP_MS)
    if name.is_visible():
        name.fill("Ada")
        person.counts.typed += 1
        person.click(page.get_by_role("button", name="Start"), "the button Start")
    truth = keys(store, campaign, folder)
    stage = page.locator('.slim-annotator [data-part="stage"]')
    for item in store.campaigns.items(campaign.id):
        expect(stage).to_have_attribute("data-row", str(item.row), timeout=STEP_MS)
        expect(stage.locator("img").first).to_be_visible(timeout=STEP_MS)
        person.answer(truth[item.row])
    expect(page.get_by_role("heading", name="All images of this campaign are answered")).to_be_visible(timeout=STEP_MS)


def compare(person: Person, store: Store) -> str:
    """The other press, the other wait; the verdict as the page says it."""
    page = person.page
    person.click(page.get_by_test_id("stSidebar").get_by_role("link", name="Overview", exact=True), "the page Overview")
    person.click(page.get_by_role("button", name=COMPARISON), f"the button {COMPARISON}")
    person.wait(lambda: _is_compared(store), JOBS_S)
    headline = page.locator(".st-key-verdict")
    expect(headline).to_be_visible(timeout=STEP_MS)
    return headline.inner_text().replace("\n", " ").strip()


def keys(store: Store, campaign: Campaign, folder: Folder) -> Mapping[int, str]:
    """Row -> the key that answers whether the attention is on the object, by the mask it was drawn with."""
    space = store.runs.fetch(str(campaign.space_run_id))
    result = AttentionResult(store.artifacts.folder(space.spec["attention"]))
    table = store.datasets.table(campaign.dataset_id)
    found = {}
    for item in store.campaigns.items(campaign.id):
        mask = folder.masks[table.image_path(item.row).name]
        found[item.row] = "1" if _is_right(result.map_of(item.row), mask) else "0"
    return found


def _is_right(raw: np.ndarray | None, mask: np.ndarray) -> bool:
    """Whether most of the brightest attention lies on the object."""
    if raw is None or raw.max() <= 0:
        return False
    bright = _resized(raw / raw.max(), mask.shape) >= BRIGHT
    return bool(mask[bright].mean() >= PRECISION)


def _resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    from PIL import Image

    height, width = shape
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))


def _is_compared(store: Store) -> bool:
    """Whether a model that was retrained on a subset is evaluated; the reference may be so later than it is asked about
    in a campaign."""
    models = {run.id for run in store.runs.all(kind="train", status="done") if run.spec.get("subset")}
    return any(run.spec["model"] in models for run in store.runs.all(kind="evaluate", status="done"))


def _has_ended(store: Store, known: int, folder: Folder) -> bool:
    """Whether there is a campaign more; a step that failed is a dead end."""
    failed = store.runs.all(status="failed", limit=1)
    if failed:
        raise DeadEndError(f"{failed[0].kind} of {folder.name} failed: {failed[0].message}")
    return len(store.campaigns.all()) > known
