"""What can be done with a selection, without a browser."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app import session
from app.services.results import space_data
from app.session import Viewer
from app.space.selected import (
    AS_IN_SPACE,
    SOURCE,
    answer,
    asked_about,
    not_asked,
    ordered,
    table,
    take_back,
    why_not,
)
from slim_core.errors import AnswersRefusedError, ForbiddenError
from slim_core.formatting import to_csv
from slim_core.settings import settings
from slim_core.space.selections import Selections
from slim_core.store import AnswerIn
from tests.refusals import missing


@pytest.fixture
def data(filled_home):
    return space_data.load(session.store().runs.all(kind="space")[0].id)


@pytest.fixture
def campaign(data):
    (found,) = session.store().campaigns.all()
    return found


@pytest.fixture
def unanswered(data):
    return session.store().campaigns.create("Twenty", data.dataset, data.run, data.rows[:20])


def test_one_answer_goes_to_every_selected_image_that_was_asked_about_and_can_be_taken_back(data, unanswered) -> None:
    store, campaign = session.store(), unanswered
    asked = [item.row for item in store.campaigns.items(campaign.id)][:3]
    selected = space_data.positions_of(data, np.array(asked))
    before = store.answers.current(campaign.id)
    items = asked_about(data, np.append(selected, _not_asked(data, campaign)[0]), campaign)
    assert len(items) == 3
    ids, _ = answer(campaign.id, items, -1)
    given = store.answers.frame(campaign.id).tail(3)
    assert given["row"].tolist() == sorted(asked, key=asked.index)
    assert set(given["value"]) == {-1}
    assert set(given["source"]) == {SOURCE}
    assert take_back(campaign.id, ids) == 3 and take_back(campaign.id, ids) == 0
    assert store.answers.current(campaign.id) == before


def test_a_second_press_answers_nothing_again_so_that_one_undo_takes_back_all_but_what_came_since(unanswered) -> None:
    def page(campaign: str) -> None:
        import numpy as np

        from app import session
        from app.services.results import space_data
        from app.space.selected import show_answering

        found = session.store().campaigns.fetch(campaign)
        everything = space_data.load(str(found.space_run_id))
        show_answering(everything, np.arange(len(everything)), found)

    store, campaign = session.store(), unanswered
    app = AppTest.from_function(page, default_timeout=60, kwargs={"campaign": campaign.id}).run()
    app.segmented_control(key="space-answer-value").set_value("unsure").run()
    pressed = next(one for one in app.button if one.label.startswith("Answer"))
    for _ in range(2):
        pressed.click().run()
        assert not app.exception and len(store.answers.frame(campaign.id)) == 20
    changed = store.campaigns.items(campaign.id)[0]
    store.answers.save(campaign.id, session.viewer().name, [AnswerIn("changed-on-annotate", changed.id, 0)])
    app.run()
    app.button(key="space-undo").click().run()
    assert store.answers.current(campaign.id) == {changed.row: 0}
    assert app.session_state["space-said"].startswith("19 answers undone. ")


def test_how_many_answers_others_were_faster_with_is_said(data, campaign) -> None:
    def page(campaign: str, rows: list[int]) -> None:
        import numpy as np
        import streamlit as st

        from app import session
        from app.services.results import space_data
        from app.space.selected import show_answering

        found = session.store().campaigns.fetch(campaign)
        everything = space_data.load(str(found.space_run_id))
        st.text(st.session_state.pop("space-said", ""))
        show_answering(everything, space_data.positions_of(everything, np.array(rows)), found)

    rows = data.rows[:5]
    campaign = session.store().campaigns.create("Five", data.dataset, data.run, rows)
    ids = [item.id for item in session.store().campaigns.items(campaign.id)]
    session.store().answers.save(campaign.id, "ann", [AnswerIn(f"ann{one}", one, 1) for one in ids[:3]])
    app = AppTest.from_function(page, default_timeout=60, args=(campaign.id, rows.tolist())).run()
    app.segmented_control(key="space-answer-value").set_value("wrong").run()
    next(one for one in app.button if one.label.startswith("Answer")).click().run()
    assert not missing(app.text[0].value, "5 images answered: wrong", "3 of them over")
    assert sorted(session.store().answers.current(campaign.id).values()) == [0, 0, 1, 1, 1]


def test_a_closed_campaign_takes_no_answers(data, campaign) -> None:
    session.store().campaigns.close(campaign.id)
    items = asked_about(data, np.arange(len(data)), campaign)
    with pytest.raises(AnswersRefusedError, match="is closed"):
        answer(campaign.id, items, 1)


def test_after_the_deadline_of_a_campaign_a_selection_is_not_answered_and_the_page_says_so(data, campaign) -> None:
    store = session.store()
    late = store.campaigns.set_deadline(campaign.id, datetime(2020, 1, 1, tzinfo=UTC))
    said = f"The deadline of {campaign.name} was 2020-01-01 00:00 UTC"
    assert (why_not(late) or "").startswith(said)
    with pytest.raises(AnswersRefusedError, match=said):
        answer(campaign.id, asked_about(data, np.arange(len(data)), late), 1)


def test_who_only_looks_on_cannot_answer(data, campaign, monkeypatch) -> None:
    monkeypatch.setattr(session, "viewer", lambda: Viewer("guest", "viewer"))
    before = session.store().answers.last_seq(campaign.id)
    items = asked_about(data, np.arange(len(data)), campaign)
    with pytest.raises(ForbiddenError, match="requires the role annotator"):
        answer(campaign.id, items, 1)
    assert session.store().answers.last_seq(campaign.id) == before


def test_who_is_not_among_a_campaigns_annotators_cannot_answer_it_and_the_page_says_so(data, campaign) -> None:
    store = session.store()
    assert why_not(campaign) is None
    store.campaigns.set_members(campaign.id, ["ann"], by="lea")
    named, before = store.campaigns.fetch(campaign.id), store.answers.last_seq(campaign.id)
    items = asked_about(data, np.arange(len(data)), named)
    with pytest.raises(ForbiddenError, match="local is not an"):
        answer(campaign.id, items, 1)
    assert store.answers.last_seq(campaign.id) == before
    assert (why_not(named) or "").startswith("local is not an")


def test_why_nothing_can_be_answered_is_one_sentence(data, campaign, monkeypatch) -> None:
    store = session.store()
    assert why_not(None) == why_not(store.campaigns.close(campaign.id))
    monkeypatch.setattr(session, "viewer", lambda: Viewer("guest", "viewer"))
    why = why_not(store.campaigns.reopen(campaign.id))
    assert why is not None and "requires the role annotator" in why


def test_only_images_that_are_not_asked_about_yet_are_added(data, campaign) -> None:
    asked = [item.row for item in session.store().campaigns.items(campaign.id)]
    new = not_asked(data, np.arange(len(data)), campaign)
    assert sorted([*asked, *new]) == data.rows.tolist()


def test_the_export_has_every_column_of_the_selected_images(data, campaign) -> None:
    session.store().tags.add(data.dataset, data.rows[[7]], "=1+1")
    selected = np.array([2, 7])
    content = to_csv(table(data, selected, campaign.id)).encode()
    read = pd.read_csv(io.BytesIO(content))
    assert read["row"].tolist() == data.rows[selected].tolist()
    assert read["path"].tolist() == [data.table.frame["path"][row] for row in data.rows[selected]]
    assert read["tags"].tolist()[1] == "'=1+1"  # a spreadsheet shows it and does not compute it
    assert read["propagated_score"].tolist() == pytest.approx(space_data.propagated(data, campaign.id)[selected])
    columns = {"group", "label_name", "prediction_name", "confidence", "loss", "attention_precision", "answer"}
    assert columns | {"attention_space_x", "environment_space_y", "environment_cluster"} <= set(read)


def test_images_without_a_number_come_last_in_its_order() -> None:
    part = pd.DataFrame({"row": [1, 2, 3], "loss": [0.5, np.nan, 2.0]})
    assert ordered(part, "highest loss")["row"].tolist() == [3, 1, 2]
    assert ordered(part, AS_IN_SPACE)["row"].tolist() == [1, 2, 3]


def _not_asked(data, campaign) -> np.ndarray:
    return space_data.positions_of(data, not_asked(data, np.arange(len(data)), campaign))


def test_the_words_of_a_tag_are_its_name_however_many_images_have_it(data) -> None:
    def page(run: str, n: int) -> None:
        import numpy as np

        from app.services.results import space_data
        from app.space.selected import show_tags

        show_tags(space_data.load(run), np.arange(n))

    session.store().tags.add(data.dataset, data.rows[:2], "odd")
    app = AppTest.from_function(page, args=(data.run, 3), default_timeout=60).run()
    assert app.selectbox(key="space-tag").options == ["odd"]
    app.selectbox(key="space-tag").set_value("odd").run()
    assert app.button(key="space-tag-select").label == "Select its 2 images"


def test_a_link_selects_its_images_and_one_whose_selection_is_gone_says_so_once(data, show) -> None:
    mask = np.zeros(len(data), bool)
    mask[[3, 5, 8]] = True
    name = Selections(settings().home / "selections").keep(data.run, mask)
    app = show("space", run=data.run, selection=name)
    assert [one.value for one in app.subheader if "selected" in one.value] == ["3 selected images"]
    assert not app.toast and app.query_params["selection"] in (name, [name])
    app = show("space", run=data.run)
    app.query_params["selection"] = "0" * 12
    app.run()
    (told,) = [one.value for one in app.toast]
    assert "no selection '000000000000'" in told
    assert "selection" not in app.query_params and not app.run().toast
