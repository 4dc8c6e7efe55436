"""Annotate, empty, filled and failing. Keys and pictures are tested in tests/browser."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup

from app import session
from app.annotate import sections
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.metrics import AVERAGE, WGA
from slim_core.store import AnswerIn, CampaignSettings, Pipeline, schema
from tests.app.conftest import box, finish, hop


def said(app: AppTest) -> str:
    return " ".join(one.value for one in app.markdown)


def part(app: AppTest) -> ButtonGroup[str]:
    return next(one for one in app.segmented_control if one.label == "Part")


@pytest.mark.parametrize("home", ["empty_home", "filled_home"])
def test_an_admin_assigns_roles_before_there_is_a_campaign(
    home: str, request: pytest.FixtureRequest, show, as_person
) -> None:
    request.getfixturevalue(home)
    store = session.store()
    with store.database.write() as connection:
        connection.execute(sa.update(schema.campaigns).values(deleted_at=datetime(2026, 1, 1, tzinfo=UTC)))
    for email in ("boss@lab.org", "lea@lab.org"):
        store.members.set_role(email, "admin" if email.startswith("boss") else "lead")
    as_person("lea@lab.org")
    assert "member-set" not in [one.key for one in show("annotate").button]
    as_person("boss@lab.org")
    app = show("annotate")
    app.text_input(key="member-email").set_value("ann@lab.org").run()
    app.button(key="member-set").click().run()
    assert not app.exception and store.members.role("ann@lab.org") == "annotator"


@pytest.mark.usefixtures("filled_home")
def test_a_finished_campaign_shows_its_share_and_leads_to_curation(show) -> None:
    app = show("annotate")
    assert any("of the split" in caption.value and "24 of 240" in caption.value for caption in app.caption)
    (opinion,) = [text.value for text in app.markdown if "images are answered" in text.value]
    told = [text.value for text in [*app.markdown, *app.caption]]
    more_help = any("answers still help" in each for each in told)
    assert ("answers still help" in opinion) == more_help, "one opinion"


@pytest.mark.usefixtures("filled_home")
def test_after_a_few_answers_the_next_step_says_no_more_than_the_measure(show) -> None:
    store = session.store()
    campaign = open_campaign(store, Plan(store.runs.all(kind="space")[0].id, {0: 5, 1: 5}, name="ten"), "lea")
    given = [AnswerIn(f"one-{item.id}", item.id, 1) for item in store.campaigns.items(campaign.id)]
    store.answers.save(campaign.id, "lea", given)
    told = said(show("annotate", campaign=campaign.id, section="campaign"))
    assert "10 answers so far. From 20 on" in told
    assert "still help" not in told and "are answered. For more answers, use *Add" in told


@pytest.mark.usefixtures("filled_home")
def test_the_answering_comes_first_and_the_form_is_one_click_away(show) -> None:
    app = show("annotate")
    (parts,) = app.segmented_control
    assert parts.value == "Answer"
    assert not [one for one in app.button if str(one.key).startswith("campaign-create")]
    parts.set_value(sections.NEW).run()
    assert not app.exception and app.button(key="campaign-create-0")


@pytest.mark.usefixtures("filled_home")
def test_the_form_tells_the_running_share_of_the_split(show) -> None:
    app = show("annotate", section="new")
    run = session.store().runs.all(kind="space")[0]
    assert any("**10 of 240** train images, **4.2\u00a0%**" in text.value for text in app.markdown), "5 of each class"
    assert any(text.value.startswith("Fewer than 5 ") for text in app.caption)
    assert app.text_input(key="campaign-name").placeholder == "Candidates 4.2 %"
    app.number_input(key=f"budget-{run.id}-0").set_value(25).run()
    assert any("**30 of 240** train images, **12.5\u00a0%**" in text.value for text in app.markdown)
    assert app.text_input(key="campaign-name").placeholder == "Candidates 12.5 %", "the name follows the numbers"


@pytest.mark.usefixtures("filled_home", "browser_in_step")
def test_the_open_part_stands_in_the_address_and_a_link_opens_it(show) -> None:
    app = show("annotate", section="agreement")
    assert (part(app).value, app.query_params["section"]) == ("Agreement", "agreement")
    part(app).set_value("Campaign").run()
    assert app.query_params["section"] == "campaign"
    hop(app, "annotate", section="agreement")
    assert part(app).value == "Agreement"


@pytest.mark.usefixtures("empty_home")
def test_a_browser_that_has_not_heard_of_a_link_to_a_part_yet_does_not_go_back_to_the_part_before() -> None:
    def page() -> None:
        from types import SimpleNamespace

        import streamlit as st

        from app.annotate import sections

        st.text(sections.choose(SimpleNamespace(id="c-1")))

    app = AppTest.from_function(page).run()
    for linked, opened in (("agreement", "Agreement"), ("campaign", "Campaign")):
        before, shown = app._tree, app.text[0].value
        app.query_params["section"] = linked  # a link on this very page
        app.run()
        app._tree = before  # as a poll, which sends what is open as it was
        app.segmented_control[0].set_value(shown).run()
        assert (app.text[0].value, app.query_params["section"]) == (opened, linked)
    app.segmented_control[0].set_value("Answer").run()
    assert (app.text[0].value, app.query_params["section"]) == ("Answer", "answer")


@pytest.mark.usefixtures("filled_home")
def test_who_has_answered_all_of_theirs_is_not_told_to_answer_the_rest(show) -> None:
    store = session.store()
    space = store.runs.all(kind="space")[0]
    campaign = open_campaign(store, Plan(space.id, {0: 2, 1: 2}, name="pair", overlap=2), "lea")
    assert "the remaining images, or see" in said(show("annotate", campaign=campaign.id))
    given = [AnswerIn(f"mine-{item.id}", item.id, 1) for item in store.campaigns.items(campaign.id)]
    store.answers.save(campaign.id, session.viewer().name, given)
    assert "the others' answers, or see" in said(show("annotate", campaign=campaign.id))
    assert "you have given" in said(show("annotate", campaign=campaign.id, section="campaign"))


@pytest.mark.usefixtures("filled_home")
def test_nobody_is_told_to_answer_or_to_go_on_who_may_not(show, as_person) -> None:
    store = session.store()
    named = CampaignSettings(options={"members": ["ann@lab.org"]})
    (space,) = store.runs.all(kind="space")
    campaign = store.campaigns.create("named", space.dataset_id, space.id, range(4), settings=named)
    for email, role in (("ann@lab.org", "annotator"), ("ben@lab.org", "annotator"), ("lea@lab.org", "lead")):
        store.members.set_role(email, role)

    def told(email: str, section: str) -> set[str]:
        as_person(email)
        advised = said(show("annotate", campaign=campaign.id, section=section)).partition("**Next:** ")[2]
        return {"remaining", "others'", "achieve."} & set(advised.split())

    for who, answer, elsewhere in (
        ("ann", {"remaining"}, {"remaining"}),
        ("ben", {"others'"}, {"others'"}),
        ("vic", {"others'"}, {"others'"}),
        ("lea", {"others'", "achieve."}, {"others'"}),
    ):
        assert (told(f"{who}@lab.org", "answer"), told(f"{who}@lab.org", "agreement")) == (answer, elsewhere), who


@pytest.mark.usefixtures("filled_home")
def test_a_campaign_is_opened_with_the_budget_of_each_class_and_chosen(show) -> None:
    app = show("annotate", section="new")
    store = session.store()
    run = store.runs.all(kind="space")[0]
    app.number_input(key=f"budget-{run.id}-0").set_value(8).run()
    app.multiselect(key=f"campaign-{run.dataset_id}-absent").set_value([1]).run()
    app.text_input(key=f"campaign-{run.dataset_id}-guideline-0").set_value("On the object.").run()
    app.button(key="campaign-create-0").click().run()
    assert not app.exception
    newest = store.campaigns.all()[0]
    assert newest.budgets == {"0": 8, "1": 5}
    assert (newest.absent, newest.guidelines) == ({1}, {0: "On the object."})
    assert (newest.space_run_id, newest.split, newest.n_split) == (run.id, "train", 240)
    assert box(app, "campaign").value == newest.id


@pytest.mark.usefixtures("filled_home")
def test_a_campaign_about_no_image_is_refused_in_a_sentence(show) -> None:
    app = show("annotate", section="new")
    store = session.store()
    run, known = store.runs.all(kind="space")[0], len(store.campaigns.all())
    for label in (0, 1):
        app.number_input(key=f"budget-{run.id}-{label}").set_value(0)
    app.button(key="campaign-create-0").click().run()
    assert len(app.error) == 1
    assert len(store.campaigns.all()) == known


@pytest.fixture
def queued(show, filled_home: Path, waiting_queue: None) -> Pipeline:
    """What the button of a campaign without an answer has queued."""
    from slim_core.annotation.plan import Plan, open_campaign

    store = session.store()
    empty = open_campaign(store, Plan(store.runs.all(kind="space")[0].id, {0: 2, 1: 2}), "lea")
    app = show("annotate", campaign=empty.id)
    app.button(key="effect-retrain").click().run()
    assert not app.exception and not app.error
    return store.pipelines.all(empty.dataset_id)[0]


def test_without_an_answer_the_button_queues_what_can_be_done(queued: Pipeline) -> None:
    assert [run.kind for run in queued.runs] == ["curate", "train", "evaluate"]


def test_once_pressed_the_page_shows_what_runs_in_place_of_the_button_and_then_the_comparison(
    queued: Pipeline, show
) -> None:
    store = session.store()
    campaign = str(queued.runs[0].campaign_id)

    def drawn(section: str) -> tuple[set[str | None], str]:
        app = show("annotate", campaign=campaign, section=section)
        return {one.key for one in app.button}, said(app)

    for section in ("answer", "campaign"):
        keys, text = drawn(section)
        assert f"stop-{queued.id}" in keys and "effect-retrain" not in keys and "**Next:**" not in text
    for run in queued.runs:
        finish(run.id, {WGA: 0.5, AVERAGE: 0.5})
    keys, text = drawn("answer")
    assert "effect-retrain" not in keys and "curate" not in text.partition("**Next:** ")[2]
    store.answers.save(campaign, "ann", [AnswerIn("new", store.campaigns.items(campaign)[0].id, 1)])
    assert "effect-retrain" in drawn("answer")[0], "of newer answers it may be pressed"


@pytest.mark.slow
def test_what_was_queued_without_an_answer_ends_well(queued: Pipeline) -> None:
    from slim_core.runs.executor import open_workbench

    bench = open_workbench(device="cpu")
    assert [bench.submitter.wait(run).status for run in queued.runs] == ["done"] * 3


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(
    "split",
    ["val", "test"],
)
def test_answers_about_other_images_than_those_of_train_lead_to_no_subset(show, split: str) -> None:
    store = session.store()
    (space,) = store.runs.all(kind="space")
    rows = store.datasets.table(space.dataset_id).rows(split)[:1]
    campaign = store.campaigns.create(
        "others", space.dataset_id, space.id, rows, settings=CampaignSettings(split=split)
    )
    asked = said(show("annotate", campaign=campaign.id))
    assert "answer the remaining" in asked and "curate" not in asked
    (item,) = store.campaigns.items(campaign.id)
    store.answers.save(campaign.id, "lea", [AnswerIn("one", item.id, 1)])
    answered = said(show("annotate", campaign=campaign.id))
    assert "about training images" in answered and "curate a subset" not in answered


@pytest.mark.usefixtures("filled_home")
def test_before_a_campaign_about_other_images_is_opened_it_is_said_what_its_answers_are_for(show) -> None:
    store = session.store()
    (space,) = store.runs.all(kind="space")
    with store.database.write() as connection:
        connection.execute(
            sa.update(schema.runs).where(schema.runs.c.id == space.id).values(spec=space.spec | {"split": "test"})
        )
    assert any("Those about test" in one.value for one in show("annotate", section="new").warning)
