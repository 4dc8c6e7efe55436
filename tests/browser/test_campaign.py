"""A team's campaign in a browser: each answer's effect at once, contradictions decided, files, the subset queued."""

from __future__ import annotations

import io
import re

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from slim_core.annotation.plan import Plan, open_campaign
from slim_core.store import AnswerIn, Campaign, Store
from tests.browser import annotator as answering
from tests.browser.steps import calm, images_held, settle, shown, until, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]
PATIENCE_MS = 60_000
WRONG = re.compile("^Wrong")  # the button of the answer; that of undo names the answer, too


@pytest.fixture
def campaign(store: Store) -> Campaign:
    """Asks two people about each of eight images; ann and ben contradict each other about the first two."""
    space = store.runs.all(kind="space", status="done")[0]
    made = open_campaign(store, Plan(space.id, {0: 4, 1: 4}, name="Team", overlap=2), "lea")
    items = store.campaigns.items(made.id)
    for who, values in (("cid", (1, 0, 1, 0)), ("ben", (0, 1, 1, 0))):
        given = [AnswerIn(f"{made.id}-{who}-{k}", items[k].id, value) for k, value in enumerate(values)]
        store.answers.save(made.id, who, given)
    return made


def test_each_answer_shows_in_the_map_and_the_subset_without_a_reload(
    page: Page, address: str, store: Store, campaign: Campaign
) -> None:
    answering.open_campaign(page, address, campaign)
    effect = page.locator(".slim-effect")
    expect(effect).to_have_count(0)  # where it would bias who answers
    page.goto(f"{address}/annotate?campaign={campaign.id}&section=campaign")
    expect(effect).to_contain_text("right 1 wrong 1 unsure 2", timeout=PATIENCE_MS)
    expect(effect).to_contain_text("from these answers")
    before = effect.locator("img").get_attribute("src")
    item = store.campaigns.items(campaign.id)[4]
    store.answers.save(campaign.id, "ann", [AnswerIn(f"{campaign.id}-ann", item.id, 1)])
    expect(effect).to_contain_text("right 2", timeout=PATIENCE_MS)
    assert effect.locator("img").get_attribute("src") != before


def test_a_lead_decides_by_a_click_or_a_key_what_is_on_screen_and_takes_it_back(
    page: Page, address: str, store: Store, campaign: Campaign
) -> None:
    with images_held(page):
        page.goto(f"{address}/annotate?campaign={campaign.id}&section=agreement")
        expect(page.get_by_role("button", name=WRONG)).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_text("Loading images ...")).to_be_visible(timeout=PATIENCE_MS)
        calm(page)
        page.keyboard.press("1")
        page.get_by_role("button", name=WRONG).click()
        calm(page)
        assert [one.decision for one in store.campaigns.items(campaign.id)] == [None] * 8
    expect(page.get_by_text("Loading images ...")).to_be_hidden(timeout=PATIENCE_MS)
    expect(page.get_by_text("2 to decide, 0 decided")).to_be_visible(timeout=PATIENCE_MS)
    shown(page)  # the count stands above the image, and comes before it
    page.get_by_role("button", name=WRONG).click()
    expect(page.get_by_text("1 to decide, 1 decided")).to_be_visible(timeout=PATIENCE_MS)
    shown(page)  # the keys belong to the next image only then
    page.keyboard.press("1")
    expect(page.get_by_text("0 to decide, 2 decided")).to_be_visible(timeout=PATIENCE_MS)
    settle(page)  # until then Undo may be that of the first decision
    first, second = store.campaigns.items(campaign.id)[:2]
    assert (first.decision, second.decision) == (0, 1)
    page.get_by_role("button", name="Undo your last decision").click()
    expect(page.get_by_text("1 to decide, 1 decided")).to_be_visible(timeout=PATIENCE_MS)
    assert store.campaigns.items(campaign.id)[1].decision is None


def test_an_e_mail_address_as_a_name_is_text_and_no_link(
    page: Page, address: str, store: Store, campaign: Campaign
) -> None:
    item = store.campaigns.items(campaign.id)[4]
    for who, value in (("lea.m@clinic.example", 1), ("tom@lab.example", 0)):
        store.answers.save(campaign.id, who, [AnswerIn(f"{campaign.id}-{who}", item.id, value)])
    for one in store.campaigns.items(campaign.id)[:2]:
        store.decisions.decide(campaign.id, "tom@lab.example", AnswerIn(f"{campaign.id}-{one.id}", one.id, 1))
    page.goto(f"{address}/annotate?campaign={campaign.id}&section=agreement")
    expect(page.get_by_text("lea.m@clinic.example: right")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="of tom@lab.example")).to_be_visible()
    expect(page.locator("a[href^='mailto:']")).to_have_count(0)


def contradict(store: Store, campaign: Campaign, k: int) -> None:
    """Two people differ about another image."""
    item = store.campaigns.items(campaign.id)[k].id
    for who, value in (("cid", 1), ("ben", 0)):
        store.answers.save(campaign.id, who, [AnswerIn(f"{campaign.id}-{who}-{k}", item, value)])


def test_agreement_follows_the_answers_of_others_and_leaves_the_image_that_is_decided_in_its_place(
    page: Page, address: str, store: Store, campaign: Campaign
) -> None:
    page.goto(f"{address}/annotate?campaign={campaign.id}&section=agreement")
    expect(page.get_by_text("2 to decide, 0 decided")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".slim-pictures img").first).to_be_visible(timeout=PATIENCE_MS)
    calm(page)
    wrong = page.get_by_role("button", name=WRONG)
    place, image = wrong.bounding_box(), page.locator(".slim-pictures img").first.get_attribute("src")
    contradict(store, campaign, 4)
    expect(page.get_by_text("3 to decide, 0 decided")).to_be_visible(timeout=PATIENCE_MS)
    assert wrong.bounding_box() == place
    assert page.locator(".slim-pictures img").first.get_attribute("src") == image
    for n in range(1, 4):
        shown(page)
        page.get_by_role("button", name=WRONG).click()
        expect(page.get_by_text(f"{3 - n} to decide, {n} decided")).to_be_visible(timeout=PATIENCE_MS)
    contradict(store, campaign, 5)
    expect(page.get_by_text("1 to decide, 3 decided")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name=WRONG)).to_be_visible()


def test_answers_are_downloaded_and_those_of_a_file_are_taken_in_with_a_report(
    page: Page, address: str, store: Store, campaign: Campaign
) -> None:
    visit(page, address, "annotate", f"?campaign={campaign.id}&section=campaign")
    page.get_by_text("Answers as files").click(timeout=PATIENCE_MS)
    with page.expect_download(timeout=PATIENCE_MS) as download:
        page.get_by_role("button", name="Download", exact=True).click()
    frame = pd.read_csv(download.value.path())
    assert len(frame) == 8 and set(frame["annotator"]) == {"ben", "cid"}
    rows = [item.row for item in store.campaigns.items(campaign.id)]
    content = f"row,answer,annotator\n{rows[5]},1,dan\n{rows[6]},maybe,dan\n".encode()
    file = {"name": "answers.csv", "mimeType": "text/csv", "buffer": io.BytesIO(content).getvalue()}
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("1 of 2 lines are valid.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("(line 3: 'maybe')")).to_be_visible()
    page.get_by_role("button", name="Import valid lines: 1").click()
    expect(page.get_by_text("Imported 1 new answer;")).to_be_visible(timeout=PATIENCE_MS)
    assert store.answers.current(campaign.id, "dan") == {rows[5]: 1}


def test_one_click_curates_retrains_and_evaluates(page: Page, address: str, store: Store, campaign: Campaign) -> None:
    answering.open_campaign(page, address, campaign)
    page.get_by_role("button", name="Curate, retrain, compare").click(timeout=PATIENCE_MS)

    def made() -> list[str]:
        """The kinds of the finished runs that come from this campaign, in their order."""
        done, todo = [], store.runs.all(campaign=campaign.id)
        while todo:
            done += [run.kind for run in todo if run.status == "done"]
            todo = [child for run in todo for child in store.runs.children(run.id)]
        return done

    until(lambda: made() == ["curate", "train", "evaluate"], 3 * PATIENCE_MS / 1000)
    expect(page.get_by_text("Retrained and evaluated")).to_be_visible(timeout=PATIENCE_MS)
