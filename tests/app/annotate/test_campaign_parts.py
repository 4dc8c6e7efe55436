"""The parts of a campaign on its page: its form, answers, agreement, overview, and who may answer."""

from __future__ import annotations

import io
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from app import session
from app.annotate import forms, live_effect, overview
from app.services import campaign_actions
from app.services.loop_state import read
from app.session import Viewer
from app.ui import selection
from slim_core.annotation.answered_space import AnsweredSpace
from slim_core.annotation.live_effect import CellNow, SecondBalance, effect
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.errors import ForbiddenError, SpecRefusedError
from slim_core.formatting import percent
from slim_core.store import AnswerIn, Campaign
from slim_core.store.campaigns.consensus import WORDS
from tests.app.conftest import Sign
from tests.refusals import missing

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("filled_home")

ADMIN = "root@lab.org"


def part(module: str, campaign: str, **state: object) -> AppTest:
    """A page of one component: a module of app/annotate, or a function in it."""

    def page(module: str, campaign: str) -> None:
        import importlib

        from app import session

        shown = session.store().campaigns.fetch(campaign)
        module, _, name = module.partition(".")
        getattr(importlib.import_module(f"app.annotate.{module}"), name or "show")(shown)

    app = AppTest.from_function(page, default_timeout=60, kwargs={"module": module, "campaign": campaign})
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def form(space: str, **state: object) -> AppTest:
    """The form of a new campaign."""

    def page(space: str) -> None:
        from app import session
        from app.annotate import forms

        forms.show(session.store().runs.fetch(space))

    app = AppTest.from_function(page, default_timeout=60, kwargs={"space": space})
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    assert not app.exception, app.exception[0].stack_trace
    return app


@pytest.fixture
def space() -> str:
    return session.store().runs.all(kind="space")[0].id


@pytest.fixture
def pair(space: str) -> Campaign:
    """Ann and Ben contradict each other about one image in three."""
    store = session.store()
    campaign = open_campaign(store, Plan(space, {0: 6, 1: 6}, name="pair", overlap=2, n_gold=3), "lea")
    for who in ("ann", "ben"):
        answers = [
            AnswerIn(f"{who}-{k}", item.id, int((k % 2 == 0) ^ (who == "ben" and k % 3 == 0)), duration_ms=2_000)
            for k, item in enumerate(store.campaigns.items(campaign.id))
        ]
        store.answers.save(campaign.id, who, answers)
    return campaign


def seen_well(space: str) -> set[int]:
    """The images that have an attention precision: a mask, and a map with a strong spot."""
    store = session.store()
    attention = store.runs.fetch(space).spec["attention"]
    scores = pd.read_parquet(store.artifacts.folder(attention) / "scores.parquet").set_index("row")
    return set(scores["attention_precision"].dropna().index)


def newest() -> Campaign:
    return session.store().campaigns.all()[0]


def button(app: AppTest, start: str) -> Button:
    """The first button whose key starts so: the rest of it names an item."""
    return next(one for one in app.button if str(one.key).startswith(start))


def text(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.error, *app.success])


def test_of_fewer_images_no_more_are_gold_and_not_none(space: str):
    app = form(space)
    app.number_input(key="campaign-gold").set_value(5).run()
    for label in (0, 1):
        app.number_input(key=f"budget-{space}-{label}").set_value(1)
    app.run()
    assert app.number_input(key="campaign-gold").value == 2
    button(app, "campaign-create").click().run()
    assert not app.exception and len(newest().options["gold"]) == 2


def test_a_campaign_is_opened_with_people_gold_examples_and_a_deadline(space: str):
    app = form(space)
    app.number_input(key="campaign-overlap").set_value(2)
    app.number_input(key="campaign-gold").set_value(2)
    app.text_input(key=f"campaign-examples-right-{dataset_of(space)}").set_value("3, 5 3")
    app.text_input(key="campaign-members").set_value("ann; ben,")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    app.date_input(key="campaign-deadline").set_value(tomorrow)
    app.toggle(key="campaign-blind").set_value(True)
    button(app, "campaign-create").click().run()
    made = newest()
    assert (made.overlap, made.options["blind"], made.options["members"]) == (2, True, ["ann", "ben"])
    assert made.options["examples"] == {"right": [3, 5]} and len(made.options["gold"]) == 2
    assert made.deadline == datetime(*(tomorrow + timedelta(days=1)).timetuple()[:3], tzinfo=UTC)
    gold = {item.row: item.gold for item in session.store().campaigns.items(made.id) if item.gold is not None}
    assert set(gold) == seen_well(space) & set(made.options["gold"]) and set(gold.values()) <= {0, 1}


def dataset_of(space: str) -> str:
    return session.store().runs.fetch(space).dataset_id


def test_a_second_press_opens_no_second_campaign(space: str):
    known = len(session.store().campaigns.all())
    pressed = button(form(space), "campaign-create")
    for _ in range(2):
        pressed.click().run()
        assert len(session.store().campaigns.all()) == known + 1


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("campaign-examples-wrong-{}", "4, x7", "'x7' is not"),
        ("campaign-examples-wrong-{}", "99999", "Example image 99999 does not exist"),
        ("campaign-members", "ann", "but only 1 may answer"),
    ],
)
def test_what_cannot_be_opened_is_said_and_nothing_is_opened(space: str, key: str, value: str, sentence: str):
    known = len(session.store().campaigns.all())
    app = form(space)
    app.number_input(key="campaign-overlap").set_value(2)
    app.text_input(key=key.format(dataset_of(space))).set_value(value)
    button(app, "campaign-create").click().run()
    assert len(app.error) == 1 and sentence in app.error[0].value
    assert len(session.store().campaigns.all()) == known


def test_a_selection_of_the_space_page_can_be_asked_about(space: str):
    rows = np.load(session.store().artifacts.folder(space) / "rows.npy")[:40]
    app = form(space, **{selection.rows_key(space): rows})
    app.selectbox(key=f"campaign-choice-{space}").set_value("selection").run()
    button(app, "campaign-create").click().run()
    asked = {item.row for item in session.store().campaigns.items(newest().id)}
    assert newest().strategy == "selection" and asked <= set(rows.tolist())


def test_the_candidates_are_seen_on_the_space_before_anybody_is_asked(space: str):
    known = len(session.store().campaigns.all())
    app = form(space, **{"campaign-preview": True})
    assert "order in which" in text(app)
    assert len(app.get("plotly_chart")) == 1 and len(session.store().campaigns.all()) == known


def test_the_overview_tells_what_is_asked_who_holds_what_and_whether_more_would_help(pair: Campaign):
    store = session.store()
    store.campaigns.extend(pair.id, store.datasets.table(pair.dataset_id).rows("train")[-2:])
    held = len(store.assignments.assign(pair.id, "cid", 2, "tab").items)
    app = part("overview", pair.id)
    told = text(app)
    assert "of 240** train images are in" in told and "with 2 annotators per image" in told
    assert "12 answers so far. From 20 on" in told, "images, however many people answer each"
    assert app.dataframe[0].value["annotator"].tolist() == ["cid"] and app.dataframe[0].value["images"][0] == held


def test_a_lead_closes_reopens_moves_the_deadline_and_says_who_may_answer(pair: Campaign):
    campaigns = session.store().campaigns
    close = button(part("manage.show_controls", pair.id), "campaign-status")
    for _ in range(2):
        close.click().run()
        assert campaigns.fetch(pair.id).status == "closed", "a second press does not open it again"
    button(part("manage.show_controls", pair.id), "campaign-status").click().run()
    assert campaigns.fetch(pair.id).status == "open"
    app = part("manage.show_controls", pair.id)
    day = datetime.now(UTC).date() + timedelta(days=3)
    app.date_input(key=f"deadline-{pair.id}").set_value(day).run()
    app.button(key="campaign-deadline-set").click().run()
    assert campaigns.fetch(pair.id).deadline.date() == day + timedelta(days=1)
    app, n_events = part("manage.show_controls", pair.id), len(session.store().events.recent(subject=pair.id))
    assert not app.button(key="campaign-members-set").disabled, "the first click has to count"
    app.button(key="campaign-members-set").click().run()
    assert len(session.store().events.recent(subject=pair.id)) == n_events, "nothing was typed"
    app.text_input(key=f"may-answer-{pair.id}").set_value("ann, ben").run()
    app.button(key="campaign-members-set").click().run()
    assert campaigns.fetch(pair.id).options["members"] == ["ann", "ben"]
    guideline = next(one for one in app.text_input if str(one.key).endswith("guideline-1"))
    guideline.set_value("On the beak.").run()
    app.button(key="campaign-classes-set").click().run()
    assert campaigns.fetch(pair.id).guidelines == {1: "On the beak."}


def test_a_campaign_is_extended_by_the_images_that_would_help_most(pair: Campaign):
    app = part("manage.show_extension", pair.id)
    app.number_input(key="extend-n").set_value(5).run()
    add = button(app, "extend-0")
    for _ in range(2):
        add.click().run()
        assert len(session.store().campaigns.items(pair.id)) == 17, "a second press adds no more"
    button(app, "extend-1").click().run()
    assert len(session.store().campaigns.items(pair.id)) == 22


def test_gold_images_get_their_right_answer_from_the_lead(pair: Campaign):
    campaigns = session.store().campaigns
    items = [item for item in campaigns.items(pair.id) if item.row in pair.options["gold"]]
    session.store().decisions.set_gold(pair.id, {item.id: None for item in items}, by="lea")
    app = part("manage.show_gold", pair.id)
    assert "3 without a correct" in app.expander[0].label
    first = button(app, "gold-Wrong")
    first.click().run()
    assert first.key not in {one.key for one in app.button}  # a second click on it is void: the next image is unseen
    assert [item.gold for item in campaigns.items(pair.id) if item.row in pair.options["gold"]].count(0) == 1


def test_the_lead_decides_contradictions_one_after_another_and_takes_the_last_back(pair: Campaign):
    campaigns = session.store().campaigns
    app = part("agreement", pair.id)
    assert "4 to decide, 0 decided" in text(app)
    assert "few to say: 12 images answered by" in text(app) and not app.metric
    first = button(app, "decide-1")
    for _ in range(2):
        first.click().run()
        assert "3 to decide, 1 decided" in text(app), (
            "a second click is not about the next image, which nobody has seen"
        )
    button(app, "decide-0").click().run()
    decided = {item.id: item.decision for item in campaigns.items(pair.id) if item.decision is not None}
    assert sorted(decided.values()) == [0, 1] and "2 to decide, 2 decided" in text(app)
    last = [row for row in session.store().answers.audit(pair.id) if row["source"] == "decision"][-1]
    assert last["seen"]["opacity"] == 0.5 and last["seen"]["run"]
    undo = button(app, "decide-undo")
    assert undo.label == f"Undo your last decision: image {last['row']}, wrong"
    undo.click().run()
    left = {item.id: item.decision for item in campaigns.items(pair.id) if item.decision is not None}
    assert left == {key: value for key, value in decided.items() if key != last["item_id"]}
    undo.click().run()
    assert "3 to decide, 1 decided" in text(app), "a second click on it names no other image"
    button(app, "decide-undo").click().run()
    assert "4 to decide, 0 decided" in text(app)


@pytest.mark.slow
def test_images_about_which_annotators_disagree_are_the_next_step_until_they_are_decided(show, pair: Campaign):
    def said(app) -> str:
        (sentence,) = [one.value for one in app.markdown if one.value.startswith("**Next:**")]
        return sentence

    def at(section: str):
        return show("annotate", campaign=pair.id, section=section)

    app = at("answer")
    assert said(app) == "**Next:** annotators disagree about 4 images: decide them."
    next(one for one in app.button if one.label == "Agreement").click().run()
    assert app.query_params["section"] == "agreement"
    assert said(app) == "**Next:** annotators disagree about 4 images: decide them above."
    app = part("agreement", pair.id)
    for _ in range(3):
        button(app, "decide-1").click().run()
    assert said(at("answer")) == "**Next:** annotators disagree about 1 image: decide it."
    button(app, "decide-1").click().run()
    assert "curate a subset" in said(at("answer"))


def test_agreement_is_a_number_where_twenty_images_have_two_answers(space: str):
    store = session.store()
    campaign = open_campaign(store, Plan(space, {0: 10, 1: 10}, overlap=2), "lea")
    for who in ("ann", "ben"):
        items = enumerate(store.campaigns.items(campaign.id))
        given = [AnswerIn(f"{who}-{k}", item.id, int(k % 2 == 0 or (who == "ben" and k == 1))) for k, item in items]
        store.answers.save(campaign.id, who, given)
    app = part("agreement", campaign.id)
    assert app.metric[0].label == "Cohen's kappa" and "Too few" not in text(app)


def test_a_lead_whose_image_another_lead_decided_is_told_and_sees_the_next(pair: Campaign):
    store = session.store()
    app = part("agreement", pair.id)
    pressed = button(app, "decide-1")
    item = int(str(pressed.key).rpartition("-")[2])
    row = next(one.row for one in store.campaigns.items(pair.id) if one.id == item)
    store.decisions.decide(pair.id, "another lead", AnswerIn("d", item, 0))
    pressed.click().run()
    told = f"Image {row} was decided by another lead meanwhile: wrong."
    assert [one.value for one in app.info].count(told) == 1 and "3 to decide, 1 decided" in text(app)
    button(app, "decide-1").click().run()
    assert told not in [one.value for one in app.info] and "2 to decide, 2 decided" in text(app)


def test_a_lead_takes_back_their_own_last_decision_and_one_of_another_only_by_name(pair: Campaign):
    store = session.store()
    app = part("agreement", pair.id)
    button(app, "decide-1").click().run()
    mine = next(one for one in store.campaigns.items(pair.id) if one.decision is not None)
    theirs = int(str(button(app, "decide-1").key).rpartition("-")[2])
    store.decisions.decide(pair.id, "lea", AnswerIn("d", theirs, 0))
    app = part("agreement", pair.id)
    assert set(app.dataframe[-1].value["Decided by"]) == {"local", "lea"}
    undo = button(app, "decide-undo")
    assert undo.label == f"Undo your last decision: image {mine.row}, right"
    undo.click().run()
    assert [(one.item_id, one.by) for one in store.decisions.counting(pair.id)] == [(theirs, "lea")]
    undo = button(app, "decide-undo")
    assert "of lea: image " in undo.label and undo.label.endswith(", wrong")
    undo.click().run()
    assert not store.decisions.counting(pair.id) and "4 to decide, 0 decided" in text(app)


def figures(campaign: Campaign, seq: int) -> AppTest:
    """What a poll draws beside an image that the lead is about to decide; ``seq``: when the page was drawn."""

    def page(campaign: str, seq: int) -> None:
        from app import session
        from app.annotate import agreement

        agreement._figures(session.store().campaigns.fetch(campaign), seq, decides=True)

    return AppTest.from_function(page, default_timeout=60, kwargs={"campaign": campaign.id, "seq": seq}).run()


def test_the_figures_of_agreement_follow_answers_but_do_not_grow_above_an_image_that_is_decided(pair: Campaign):
    answers, items = session.store().answers, session.store().campaigns.items(pair.id)
    seq = answers.last_seq(pair.id)
    before = figures(pair, seq).dataframe[0].value.set_index("annotator")
    assert "surplus" not in before
    answers.save(pair.id, "ann", [AnswerIn("changed", items[0].id, -1)])
    now = figures(pair, seq).dataframe[0].value.set_index("annotator")
    assert now.loc["ann", "unsure"] == before.loc["ann", "unsure"] + 1
    late = [AnswerIn(f"late-{item.id}", item.id, 1) for item in items[:3]]
    answers.save(pair.id, "cem", late)
    assert list(figures(pair, seq).dataframe[0].value["annotator"]) == list(before.index), "a row more moves the image"
    told = part("agreement", pair.id).dataframe[0].value.set_index("annotator")
    assert (told.loc["cem", "answers"], told.loc["cem", "surplus"]) == (0, 3), "they are beyond the overlap"


def test_names_are_shown_as_they_are_written_and_not_as_markdown(pair: Campaign):
    campaigns = session.store().campaigns
    for who, value in (("![x](http://example.org/seen)", 1), ("__me__", 0)):
        given = [AnswerIn(f"{who}{item.id}", item.id, value) for item in campaigns.items(pair.id)[-2:]]
        session.store().answers.save(pair.id, who, given)
    campaigns.set_members(pair.id, ["**ann**"], "lea")
    told = text(part("agreement", pair.id)) + text(part("overview", pair.id))
    assert r"only \*\*ann\*\* may answer" in told
    assert "![x](" not in told


def test_a_column_that_says_nothing_of_anybody_leaves_the_others_room(pair: Campaign):
    def columns() -> set[str]:
        return set(part("agreement", pair.id).dataframe[0].proto.column_order)

    store = session.store()
    known = store.campaigns.items(pair.id)
    store.decisions.set_gold(pair.id, {item.id: None for item in known}, by="lea")
    assert columns() & {"gold_n", "gold_agree", "undone", "skipped"} == set()
    assert {"answers", "empty", "others_agree"} <= columns()
    ann = {item_id: value for item_id, who, value in store.answers.votes(pair.id) if who == "ann"}
    all_wrong = {item: 1 - value for item, value in ann.items() if value in (0, 1)}
    store.decisions.set_gold(pair.id, all_wrong, by="lea")
    assert "gold_agree" in columns(), "no answer right is news, and nobody has to answer for it"
    store.answers.save(pair.id, "ann", [AnswerIn("skip", known[0].id, None, skip=True)])
    assert {"gold_agree", "skipped"} <= columns()


@pytest.mark.parametrize(("overlap", "told"), [(1, [True, False]), (2, [False, True])])
def test_where_nobody_disagrees_the_page_says_whether_anybody_could(space: str, overlap: int, told: list[bool]):
    made = open_campaign(session.store(), Plan(space, {0: 2, 1: 2}, overlap=overlap), "lea")
    app = part("agreement", made.id)
    assert [one in text(app) for one in ("has one annotator", "No disagreements")] == told
    assert overlap > 1 or not app.subheader


@pytest.mark.parametrize("is_finished", [True, False])
def test_the_summary_adds_everything_up_of_a_campaign_under_way_on_request(pair: Campaign, is_finished: bool):
    store = session.store()
    if not is_finished:
        store.campaigns.extend(pair.id, store.datasets.table(pair.dataset_id).rows("train")[-2:])
    app = part("overview.show_summary", pair.id)
    if not is_finished:
        assert not app.dataframe
        app.toggle(key=f"summary-{pair.id}").set_value(True).run()
    people, classes = app.dataframe[0].value, app.dataframe[1].value
    assert people["annotator"].tolist() == ["ann", "ben"] and people["answers"].tolist() == [12, 12]
    assert f"{people['minutes'].sum():.1f}" == "0.8"
    assert classes["images"].sum() == 240 and classes["answered"].sum() == 12
    assert "scores are unknown" not in text(app)


def test_where_an_overlap_is_asked_for_progress_says_what_is_left_for_the_team(space: str):
    store = session.store()
    campaign = open_campaign(store, Plan(space, {0: 6, 1: 6}, overlap=2), "lea")
    items = store.campaigns.items(campaign.id)
    store.answers.save(campaign.id, "ann", [AnswerIn(f"a{item.id}", item.id, 1) for item in items])
    store.answers.save(campaign.id, "ben", [AnswerIn(f"b{item.id}", item.id, 1) for item in items[:5]])
    app = part("overview", campaign.id)
    (answered,) = [one for one in app.metric if one.label == "Answered"]
    assert answered.value == "5 of 12" and not missing(answered.help, "5 by 2 annotators", "12 by")
    assert "Each image needs 2 annotators: 7 images still need another annotator." in text(app)
    step = next(one for one in read(store, campaign.dataset_id).steps if one.name == "annotate")
    assert (step.state, step.note) == ("running", "5 of 12 have both answers")
    store.answers.save(campaign.id, "cem", [AnswerIn(f"c{item.id}", item.id, 1) for item in items[5:]])
    step = next(one for one in read(store, campaign.dataset_id).steps if one.name == "annotate")
    assert (step.state, step.note) == ("done", "12 of 12 have both answers")
    assert "still need another" not in text(part("overview", campaign.id))


def test_of_a_closed_campaign_nothing_is_left_for_a_second_annotator(space: str):
    store = session.store()
    campaign = open_campaign(store, Plan(space, {0: 2, 1: 2}, overlap=2), "lea")
    items = store.campaigns.items(campaign.id)
    store.answers.save(campaign.id, "ann", [AnswerIn(f"a{item.id}", item.id, 1) for item in items])
    store.campaigns.close(campaign.id, "lea")
    step = next(one for one in read(store, campaign.dataset_id).steps if one.name == "annotate")
    assert (step.state, step.note) == ("done", "4 of 4 answered")
    assert "another annotator" not in text(part("overview", campaign.id))


def test_the_summary_is_a_csv_with_a_line_a_number(pair: Campaign):
    from slim_core.annotation.agreement import annotators_of

    store = session.store()
    spent = store.answers.cost(pair.id)
    content = overview.summary_csv(
        pair, store.campaigns.progress(pair.id), spent, annotators_of(store, pair.id), overview.by_class(pair)
    )
    frame = pd.read_csv(io.BytesIO(content))
    told = frame[frame["part"] == "campaign"].set_index("what")["value"]
    assert float(told["minutes"]) == pytest.approx(spent.minutes), "as on the page"
    assert set(frame["part"]) == {"campaign", "annotator", "class"}
    assert frame[(frame["of"] == "ben") & (frame["what"] == "answers")]["value"].tolist() == [12]


@pytest.mark.slow
def test_the_effect_shows_map_and_cells_and_follows_an_answer(pair: Campaign):
    app = part("live_effect", pair.id)
    [drawn] = [one.proto.body for one in app.get("html") if "slim-effect" in one.proto.body]
    assert "image/webp;base64," in drawn and re.search(r": 48 images in \d cells<", drawn)
    assert "balanced once more" not in drawn
    item = session.store().campaigns.items(pair.id)[0]
    campaign_actions.decide(pair, item.id, 0, {}, 0)
    until = time.monotonic() + 60  # it is computed a tenth of the time
    after = drawn
    while after == drawn and time.monotonic() < until:
        app.run()
        [after] = [one.proto.body for one in app.get("html") if "slim-effect" in one.proto.body]
    assert after != drawn


def test_of_a_probe_the_effect_is_on_half_of_the_images_and_says_what_curation_balances_besides(
    pair: Campaign, monkeypatch, request
):
    for forget in (live_effect._usual.cache_clear, live_effect._shown.clear):
        forget()
        request.addfinalizer(forget)
    monkeypatch.setattr("slim_core.runs.trainings.is_probe", lambda _reference: True)
    scores = property(lambda _: pytest.fail("scores are propagated that nobody uses"))
    monkeypatch.setattr(AnsweredSpace, "scores", scores)
    app = part("live_effect", pair.id)
    [drawn] = [one.proto.body for one in app.get("html") if "slim-effect" in one.proto.body]
    assert re.search(r"these answers: (120|\d\d) images", drawn) and "surroundings 0</span>" in drawn
    size, options = live_effect._usual(pair.id)
    of_answers = effect(session.store(), pair.id, size, options["environments"])
    found = of_answers.second_balance
    said = f"{found.n_wrong} of 240 images, in {found.clusters} clusters" if found.clusters else found.notes
    assert said in drawn
    assert found.n_wrong == 240 - round(of_answers.scores.sum()), "those that the map shows"
    assert f"{percent(1 - found.n_wrong / 240, 0)} of the images" in drawn


def test_the_second_balance_is_told_in_a_line_or_why_there_is_none():
    said = re.sub("<[^>]*>", "", live_effect._second(SecondBalance(8, 1_130, 4, ""), 1_600))
    assert not missing(said, "1,130 of 1,600 images", "8 clusters")
    assert live_effect._second(SecondBalance(0, 12, 4, "Only images of cat."), 1_600) == "Only images of cat."
    assert "is assumed wrong" in live_effect._second(SecondBalance(0, 0, 4, ""), 1_600)


def test_the_cells_that_give_no_image_are_not_counted_among_those_that_hold_the_subset():
    full, none = CellNow("cat, environment 0", 9, None, 3, 3, False), CellNow("cat, environment 1", 9, None, 0, 0, True)
    told = [live_effect._spread(cells) for cells in ((full, none), (full,), ())]
    assert told == [" in 1 of 2 cells", " in 1 cell", ""]


@pytest.mark.parametrize(
    ("size", "budget", "distinct", "is_alone", "said"),
    [
        (125, 30, 30, False, "30 of 125"),
        (19, 30, 19, False, "30 from 19 images, 11 repeats"),
        (71, 46, 32, False, "46 from 32 of 71, 14 repeats"),
        (71, 80, 64, False, "80 from 64 of 71, 16 repeats"),
        (125, 0, 0, True, "0 of 125, left out: "),
        (125, 0, 0, False, "0 of 125"),
    ],
)
def test_a_cell_says_what_it_gives_and_why_it_gives_nothing(
    size: int, budget: int, distinct: int, is_alone: bool, said: str
):
    cell = CellNow("cat, environment 1", size, None, budget, distinct, is_alone)
    told = re.sub("<[^>]*>", "", live_effect._given(cell))
    assert told.startswith(said) if is_alone else told == said


def test_a_class_whose_answers_are_all_wrong_is_trusted_nowhere_on_the_page(space: str):
    store = session.store()
    campaign = open_campaign(store, Plan(space, {0: 4, 1: 4}), "lea")
    labels = store.datasets.table(campaign.dataset_id).labels
    given = [AnswerIn(f"a-{one.id}", one.id, int(labels[one.row] == 1)) for one in store.campaigns.items(campaign.id)]
    store.answers.save(campaign.id, "ann", given)
    classes = overview.by_class(campaign)
    of_class, sizes = classes["trusted"].tolist(), classes["images"].tolist()
    assert of_class[0] == 0 and of_class[1] > 0
    shown = part("live_effect", campaign.id).get("html")
    [drawn] = [one.proto.body for one in shown if "slim-effect" in one.proto.body]
    cells = re.findall(r"<span>(\d), [^<]*</span>.*?of (\d+), (\d+)\s% trusted", drawn)
    assert {name for name, _, share in cells if share != "0"} == {"1"} and {name for name, _, _ in cells} == {"0", "1"}
    overall = sum(share * n for share, n in zip(of_class, sizes, strict=True)) / sum(sizes)
    assert f" on {overall:.0f}\u00a0% of the images</b>" in drawn, "and the headline says the same"


def test_the_effect_of_no_answer_is_told_too(space: str):
    empty = open_campaign(session.store(), Plan(space, {0: 2, 1: 2}), "lea")
    app = part("live_effect", empty.id)
    [drawn] = [one.proto.body for one in app.get("html") if "slim-effect" in one.proto.body]
    assert "no answers yet" in drawn and "Subset without answers: 48 images" in drawn and "%</b>" not in drawn


def test_json_lines_are_taken_in_on_the_page(pair: Campaign):
    row = session.store().campaigns.items(pair.id)[0].row
    app = part("manage.show_answer_files", pair.id)
    assert not [word for word in WORDS.values() if word not in app.file_uploader[0].help]
    app.file_uploader[0].upload("other.jsonl", f'{{"row": {row}, "answer": "right"}}'.encode()).run()
    assert any("**1 of 1** lines are valid" in one.value for one in app.markdown)
    next(one for one in app.button if one.label == "Import: 1").click().run()
    (told,) = [one.value for one in app.success]
    assert not missing(told, "1 new answer", "1 of them over", "0 were")


def test_where_nobody_signs_in_nobody_has_a_role(pair: Campaign) -> None:
    app = part("overview", pair.id)
    assert [one.key for one in app.toggle] == [f"effect-images-{pair.id}"]
    assert "Members" not in [one.label for one in app.expander]


@pytest.fixture
def as_admin(filled_home: Path, as_person: Sign) -> None:
    """An admin has signed in."""
    session.store().members.set_role(ADMIN, "admin")
    as_person(ADMIN)


@pytest.mark.slow
@pytest.mark.usefixtures("as_admin")
def test_members_are_shown_to_admins_where_people_sign_in(pair: Campaign):
    app = part("overview", pair.id)
    app.text_input(key="member-email").set_value("Ann@example.org").run()
    app.button(key="member-set").click().run()
    roles = {one.email: one.role for one in session.store().members.all()}
    assert roles == {"ann@example.org": "annotator", ADMIN: "admin"}
    app = part("overview", pair.id)
    app.selectbox(key="member-out").set_value("ann@example.org").run()
    app.button(key="member-remove").click().run()
    assert [one.email for one in session.store().members.all()] == [ADMIN]


def test_who_is_no_lead_looks_on(monkeypatch, space: str, pair: Campaign):
    monkeypatch.setattr(session, "viewer", lambda: Viewer("ann", "annotator"))
    assert "Opening a campaign requires the lead role" in text(form(space))
    app = part("overview", pair.id)
    assert [one.label for one in app.expander] == ["Answers as files"]
    assert "Deciding requires the lead role" in text(part("agreement", pair.id))
    for act in (
        lambda: campaign_actions.close(pair),
        lambda: campaign_actions.extend(pair, 1),
        lambda: campaign_actions.decide(pair, 1, 1, {}, 0),
        lambda: campaign_actions.set_gold(pair, {}),
        lambda: campaign_actions.set_member("a@b.org", "admin"),
    ):
        with pytest.raises(ForbiddenError, match="Your role is annotator"):
            act()
    assert session.store().campaigns.fetch(pair.id).status == "open"


def test_numbers_of_images_are_read_as_people_write_them():
    assert forms._numbers(" 3, 5;7\n3 ") == (3, 5, 7) and forms._numbers("") == ()
    for invalid, said in (("-1", "'-1'"), ("9" * 5000, "'9+…9+'")):  # Python reads no number of 5,000 digits
        with pytest.raises(SpecRefusedError, match=f"{said} is not"):
            forms._numbers(invalid)
