"""The sheets of environments on the Annotate page: asked, answered, undone, and what is said where nothing is left."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from app import access, session
from app.annotate.parts import sheets as annotated
from app.annotate.parts.sections import ENVIRONMENTS
from app.services.results import space_data
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.annotation.sheets import answer, sheets
from slim_core.space.sheets import MIXED, NO, QUESTION, YES
from slim_core.store import Campaign, CampaignSettings, EnvironmentAnswer, schema
from tests.app.conftest import hop
from tests.slim_core.store.store_makers import statements

pytestmark = pytest.mark.usefixtures("filled_home")


@pytest.fixture
def campaign() -> Campaign:
    """Asks two people about each environment."""
    (space,) = session.store().runs.all(kind="space")
    return open_campaign(session.store(), Plan(space.id, {0: 2, 1: 2}, name="sheets", overlap=2), "lea")


@pytest.fixture
def opened(show, campaign: Campaign, monkeypatch: pytest.MonkeyPatch):
    """opened(sheet="0") shows the part to somebody who has given the name ann."""
    monkeypatch.setattr(session, "given_name", lambda: "ann")
    return lambda **link: show("annotate", campaign=campaign.id, section="environments", **link)


def say(campaign: Campaign, who: str, path: str, value: int | None, name: str = "") -> None:
    store = session.store()
    n = store.environment_answers.last_seq(campaign.id)
    answer(store, campaign.id, who, EnvironmentAnswer(f"{n}-{who}-{path}", path, value, name))


def paths(campaign: Campaign) -> list[str]:
    return [each.path for each in sheets(session.store(), campaign.id).environments]


def texts(app: AppTest) -> str:
    found = [*app.markdown, *app.caption, *app.subheader, *app.success, *app.info, *app.error]
    return "\n".join(one.value for one in found)


def button(app: AppTest, start: str) -> Button:
    """The button whose key starts so: the rest of it names an environment."""
    return next(one for one in app.button if str(one.key).startswith(start))


def labels(app: AppTest) -> list[str]:
    """Of the environments to pick from."""
    groups = [group.proto for group in app.get("button_group") if group.proto.label == "Environments"]
    return [one.content for group in groups for one in group.options]


def test_without_sign_in_a_name_is_asked_for_first(show, campaign: Campaign) -> None:
    app = show("annotate", campaign=campaign.id, section="environments")
    for name in ("  ", "ann"):
        assert not app.exception and QUESTION not in texts(app)
        app.text_input(key="sheet-name").set_value(name)
        next(one for one in app.button if one.label == "Start").click().run()
        assert ("is not a valid name" in texts(app)) == (name == "  ")
    assert not app.exception and QUESTION in texts(app)


def test_a_sheet_has_images_of_every_class_one_question_and_keys(opened, campaign: Campaign) -> None:
    app = opened()
    assert QUESTION in texts(app) and "20 of its" in texts(app)
    grids = [one.proto.body for one in app.get("html") if "slim-pictures" in one.proto.body]
    assert [body.count("<img") for body in grids] == [10, 10]
    shortcuts = {one.proto.shortcut for one in app.button if str(one.key).startswith("sheet-")}
    assert shortcuts == {"n", "y", "m", "u", "z"}
    assert f"**0 of {len(paths(campaign))}** environments answered by you" in texts(app)


def test_an_answer_with_a_name_is_kept_and_the_next_sheet_opens(opened, campaign: Campaign) -> None:
    app, (first, second) = opened(), paths(campaign)[:2]
    app.text_input(key=f"sheet-name-{campaign.id}-{first}").set_value("red petals").run()
    button(app, "sheet-no").click().run()
    assert not app.exception
    said = session.store().environment_answers.consensus(campaign.id)
    assert (said[first].value, said[first].name, said[first].n_answers) == (NO, "red petals", 1)
    (vote,) = session.store().environment_answers.votes(campaign.id)
    assert vote.annotator == "ann"
    assert app.text_input(key=f"sheet-name-{campaign.id}-{second}").value == ""
    assert "**1 of" in texts(app)


def test_a_second_click_answers_no_sheet_that_nobody_has_seen_and_is_undone_with_the_first(
    opened, campaign: Campaign
) -> None:
    answers, first, app = session.store().environment_answers, paths(campaign)[0], opened()
    app.text_input(key=f"sheet-name-{campaign.id}-{first}").set_value("")
    pressed = button(app, "sheet-no")
    for _ in range(2):
        pressed.click().run()
        assert [(vote.environment, vote.value) for vote in answers.votes(campaign.id)] == [(first, NO)]
    button(app, "sheet-undo").click().run()
    assert answers.votes(campaign.id) == []
    button(app, "sheet-no").click().run()
    button(app, "sheet-yes").click().run()
    app.text_input(key=f"sheet-name-{campaign.id}-{paths(campaign)[2]}").set_value("")
    back = button(app, "sheet-undo")
    for _ in range(2):
        back.click().run()
        assert [vote.environment for vote in answers.votes(campaign.id)] == [first], "the one before was not named"


def test_mixed_opens_its_first_part_and_an_undo_brings_the_whole_back(opened, campaign: Campaign) -> None:
    before = paths(campaign)
    first = before[0]
    say(campaign, "ben", first, MIXED)
    app = opened()
    assert labels(app)[0] == first and f"{first}.0" not in labels(app), "ann is not shown what ben said"
    button(app, "sheet-mixed").click().run()
    assert paths(campaign)[:3] == [first, f"{first}.0", f"{first}.1"]
    assert app.text_input(key=f"sheet-name-{campaign.id}-{first}.0")
    button(app, "sheet-undo").click().run()
    assert not app.exception
    assert paths(campaign) == before and app.text_input(key=f"sheet-name-{campaign.id}-{first}")
    assert [vote.annotator for vote in session.store().environment_answers.votes(campaign.id)] == ["ben"]
    assert button(app, "sheet-undo").disabled


def test_mixed_of_one_of_two_splits_nothing_yet_and_the_page_says_when(opened, campaign: Campaign) -> None:
    app, before = opened(), paths(campaign)
    button(app, "sheet-mixed").click().run()
    assert not app.exception and paths(campaign) == before
    assert app.text_input(key=f"sheet-name-{campaign.id}-{before[1]}"), "the next one is open"
    when = "once 2 annotators have answered, split in two, and its parts are asked about"
    assert f"**Mixed**: {when}" in texts(app) and app.dataframe[0].value["Effect"][0] == when


def test_the_sheet_of_a_part_says_that_mixed_does_not_split_it(opened, campaign: Campaign) -> None:
    whole, last = paths(campaign)[0], paths(campaign)[-1]
    for who in ("ann", "ben"):
        say(campaign, who, whole, MIXED)
    alone = "balanced as a whole, since a part is not split again"
    (caption,) = [one.value for one in opened(sheet=f"{whole}.1").caption if "**Mixed**" in one.value]
    assert f"**Mixed**: {alone}; **Unsure**: " in caption, "in the order of the buttons"
    assert "**Mixed**: once 2 annotators have answered, split in two" in texts(opened(sheet=last))
    for who in ("ann", "ben"):
        say(campaign, who, f"{whole}.0", MIXED)
    table = opened().dataframe[0].value.set_index("Environment")
    assert table["Effect"][f"{whole}.0"] == alone and f"{whole}.0.0" not in table.index


def test_what_is_mixed_counts_as_whole_for_as_long_as_it_is_asked_about_as_whole(campaign: Campaign) -> None:
    data = space_data.load(str(campaign.space_run_id))

    def counted() -> set[str]:
        return {name.rpartition(" ")[2] for name in space_data.environments(data, campaign.id).names}

    whole, *others = paths(campaign)
    say(campaign, "ann", whole, MIXED)
    assert counted() == set(paths(campaign)) == {whole, *others}
    say(campaign, "ben", whole, MIXED)
    assert counted() == {f"{whole}.0", f"{whole}.1", *others} == set(paths(campaign)) - {whole}


def test_a_link_opens_a_sheet_and_one_to_nothing_the_first(opened, campaign: Campaign) -> None:
    last = paths(campaign)[-1]
    assert opened(sheet=last).text_input(key=f"sheet-name-{campaign.id}-{last}")
    assert opened(sheet="99").text_input(key=f"sheet-name-{campaign.id}-{paths(campaign)[0]}")


def test_when_you_are_done_the_page_says_who_is_waited_for_and_where_to_go_on(opened, campaign: Campaign) -> None:
    for path in paths(campaign):
        say(campaign, "ann", path, NO)
    app = opened()
    said = f"You have answered every environment. {len(paths(campaign))} still need answers from others."
    assert said in texts(app)
    first, *others = paths(campaign)
    for path in others:
        say(campaign, "ben", path, YES)
    assert "You have answered every environment. 1 still needs answers from others." in texts(opened())
    say(campaign, "ben", first, NO)
    app = opened()
    assert "Every environment is answered." in texts(app) and "curate a subset from these answers" in texts(app)
    assert f"Annotators agree on 1 of {len(paths(campaign))} with two or more definite answers." in texts(app)


def test_who_may_not_curate_reads_who_can_when_all_is_answered(show, campaign: Campaign, as_person) -> None:
    session.store().members.set_role("ann@lab.org", "annotator", by="root")
    as_person("ann@lab.org")
    for path in paths(campaign):
        say(campaign, "ann@lab.org", path, NO)
    told = texts(show("annotate", campaign=campaign.id, section="environments"))
    assert "**Next:** a lead can curate a subset from these answers." in told


def test_the_time_of_a_sheet_is_counted_from_when_its_campaign_was_opened(
    opened, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, now = session.store(), [100.0]
    monkeypatch.setattr(annotated, "time", SimpleNamespace(monotonic=lambda: now[0]))
    other = open_campaign(store, Plan(str(campaign.space_run_id), {0: 2, 1: 2}, name="another"), "lea")
    app = opened()
    now[0] += 50.0
    (part,) = hop(app, "annotate", campaign=other.id).segmented_control
    part.set_value(ENVIRONMENTS).run()
    now[0] += 2.0
    button(app, "sheet-no").click().run()
    with store.database.read() as connection:
        asked = sa.select(schema.environment_answers.c.campaign_id, schema.environment_answers.c.duration_ms)
        assert connection.execute(asked).all() == [(other.id, 2_000)]


def test_who_comes_too_late_is_told(opened, campaign: Campaign) -> None:
    app, first = opened(), paths(campaign)[0]
    for who in ("ben", "cid"):
        say(campaign, who, first, YES)
    button(app, "sheet-no").click().run()
    assert "Another annotator answered first. Your answer is stored but not counted." in texts(app)
    assert {vote.annotator for vote in session.store().environment_answers.votes(campaign.id)} == {"ben", "cid"}
    assert button(opened(sheet=first), "sheet-no").disabled


def test_an_environment_that_was_taken_away_meanwhile_is_told_in_a_sentence(opened, campaign: Campaign) -> None:
    first = paths(campaign)[0]
    for who in ("ben", "cid"):
        say(campaign, who, first, MIXED)
    app = opened(sheet=f"{first}.0")
    say(campaign, "ben", first, None)
    button(app, "sheet-yes").click().run()
    assert not app.exception and f"does not ask about an environment '{first}.0'" in texts(app)


def test_a_closed_campaign_shows_its_sheets_and_takes_no_answer(opened, campaign: Campaign) -> None:
    first = paths(campaign)[0]
    say(campaign, "ann", first, YES)
    session.store().campaigns.close(campaign.id)
    app = opened(sheet=first)
    assert QUESTION in texts(app) and "The campaign sheets is closed: ask its lead to reopen it." in texts(app)
    assert button(app, "sheet-no").disabled and button(app, "sheet-undo").disabled


def test_one_drawing_of_the_page_reads_the_answers_once(opened, campaign: Campaign) -> None:
    with statements(session.store().database) as told:
        app = opened()
    assert QUESTION in texts(app)
    assert len([one for one in told if "FROM environment_answers" in one and "value" in one]) == 1, told


def test_a_campaign_closed_before_a_press_says_so_once(opened, campaign: Campaign) -> None:
    app = opened()
    session.store().campaigns.close(campaign.id)
    button(app, "sheet-no").click().run()
    assert texts(app).count("The campaign sheets is closed") == 1 and button(app, "sheet-no").disabled
    assert session.store().environment_answers.votes(campaign.id) == []


def test_who_may_not_answer_or_is_too_late_sees_why_before_any_press(opened, campaign: Campaign) -> None:
    store, first = session.store(), paths(campaign)[0]
    say(campaign, "ben", first, YES)
    store.campaigns.set_members(campaign.id, ["ben"], "lea")
    app = opened()
    assert "ann is not an annotator of sheets: a lead can add people under Manage this campaign." in texts(app)
    assert button(app, "sheet-yes").disabled and labels(app)[0] == f"{first} · yes", "nothing to be led by"
    store.campaigns.set_members(campaign.id, [], "lea")
    assert not button(opened(), "sheet-yes").disabled
    store.campaigns.set_deadline(campaign.id, datetime(2020, 1, 1, tzinfo=UTC), "lea")
    app = opened()
    assert "The deadline of sheets was 2020-01-01 00:00 UTC" in texts(app) and button(app, "sheet-yes").disabled


def test_what_others_say_is_shown_once_nobody_can_follow_it(opened, campaign: Campaign) -> None:
    first = paths(campaign)[0]
    say(campaign, "ben", first, NO, "water")
    app = opened()
    table = app.dataframe[0].value.iloc[0]
    assert labels(app)[0] == "water"
    assert table[["Belongs to the class", "Answers", "Effect"]].tolist() == ["", "1 answer", ""]
    assert "What others answered is shown once you have answered." in texts(app)
    button(app, "sheet-yes").click().run()
    table = app.dataframe[0].value.iloc[0]
    assert labels(app)[0] == "water · disagreement", "nobody said unsure"
    assert table["Answers"] == "ann yes, ben no"
    say(campaign, "ben", first, YES)
    assert labels(opened())[0] == "water · yes"


def test_an_environment_that_has_its_answers_shows_them_and_says_so(opened, campaign: Campaign) -> None:
    first = paths(campaign)[0]
    for who in ("ben", "cid"):
        say(campaign, who, first, YES)
    app = opened(sheet=first)
    assert labels(app)[0] == f"{first} · yes" and button(app, "sheet-no").disabled
    assert "This environment has answers from 2 annotators: enough." in texts(app)


def test_a_viewer_may_not_answer(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "signs_in", lambda: True)
    app = opened()
    assert "Answering requires the annotator role." in texts(app) and not app.button


def test_a_name_of_markdown_is_shown_as_it_is(opened, campaign: Campaign) -> None:
    first = paths(campaign)[0]
    say(campaign, "ann", first, NO, "**bold** [link](x)")
    assert r"\*\*bold\*\* \[link](x) · no" in labels(opened())


def test_two_environments_of_one_name_are_told_apart_by_their_paths(opened, campaign: Campaign) -> None:
    twins = paths(campaign)[:2]
    for path in twins:
        say(campaign, "ann", path, NO, "water")
    assert {f"water · no · {path}" for path in twins} <= set(labels(opened()))


def test_a_campaign_of_a_space_with_one_environment_says_what_to_do(show, monkeypatch: pytest.MonkeyPatch) -> None:
    from slim_core.errors import SpecRefusedError

    def refuse(*_: object) -> None:
        raise SpecRefusedError("The space has a single environment: build a space with more clusters.")

    monkeypatch.setattr("app.annotate.parts.sheets.sheets", refuse)
    (campaign,) = session.store().campaigns.all()
    app = show("annotate", campaign=campaign.id, section="environments")
    assert "build a space with more clusters" in app.error[0].value


def test_environments_of_other_images_than_those_of_train_lead_to_no_subset(show, monkeypatch) -> None:
    monkeypatch.setattr(session, "given_name", lambda: "ann")
    store = session.store()
    (space,) = store.runs.all(kind="space")
    rows = store.datasets.table(space.dataset_id).rows("val")[:1]
    others = store.campaigns.create("others", space.dataset_id, space.id, rows, settings=CampaignSettings(split="val"))
    for path in paths(others):
        say(others, "ann", path, YES)
    app = show("annotate", campaign=others.id, section="environments")
    assert not app.exception
    assert "balance nothing" in texts(app) and "curate a subset from these answers" not in texts(app)


def test_a_second_click_on_undo_takes_back_no_more_than_the_first(opened, campaign: Campaign) -> None:
    first, *_ = paths(campaign)
    for value in (YES, NO):
        say(campaign, "ann", first, value)
    app, answers = opened(sheet=first), session.store().environment_answers
    pressed = button(app, "sheet-undo")
    for _ in range(2):
        pressed.click().run()
        assert [vote.value for vote in answers.votes(campaign.id)] == [YES]
    button(app, "sheet-undo").click().run()
    assert answers.votes(campaign.id) == []
