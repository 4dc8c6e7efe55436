"""What is chosen on a page: data sets, runs, campaigns, and the pages of long lists."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from app.ui import pick
from slim_core.data.image_filter import ImageFilter
from slim_core.steps.specs import parse_spec
from slim_core.store import Dataset
from tests.app.conftest import Show, box, finish, hop

ROUND = ("train", "attention", "space", "jobs", "annotate", "curate", "compare", "data", "overview")


def chosen(app) -> str:
    return str(app.selectbox(key="pick-dataset").value)


@pytest.mark.slow
def test_the_data_set_chosen_on_one_page_stays_so_on_every_other(show: Show, older: Dataset, dataset: Dataset) -> None:
    app = show("overview")
    assert chosen(app) == dataset.id, "the newest"
    app.selectbox(key="pick-dataset").select(older.id).run()
    for page in ROUND:
        hop(app, page)
        if page != "jobs":
            assert (page, chosen(app), app.query_params["dataset"]) == (page, older.id, older.id)


def test_a_data_set_opened_by_a_link_stays_so_until_another_is_chosen(
    show: Show, older: Dataset, dataset: Dataset
) -> None:
    app = show("train", dataset=older.id)
    for page in ROUND[1:3]:
        assert chosen(hop(app, page)) == older.id
    app.selectbox(key="pick-dataset").select(dataset.id).run()
    assert chosen(app) == dataset.id and chosen(hop(app, "train")) == dataset.id
    assert chosen(hop(app, "compare", dataset=older.id)) == older.id, "a link is followed, in the midst of a visit too"


def test_a_link_to_a_run_alone_opens_its_data_set(show: Show, older: Dataset, dataset: Dataset) -> None:
    spec = parse_spec({"kind": "train", "dataset": older.id, "model": "small-resnet"})
    run, _ = session.store().runs.submit(spec)
    app = show("train", run=run.id)
    assert chosen(app) == older.id and not app.toast
    assert chosen(hop(app, "data")) == older.id != dataset.id


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(
    ("page", "params"),
    [
        ("train", {"dataset": "d-nothing"}),
        ("train", {"run": "r-nothing"}),
        ("train", {"subset": "r-nothing"}),
        ("annotate", {"campaign": "c-nothing"}),
        ("curate", {"space": "r-nothing"}),
    ],
)
def test_a_link_to_what_is_not_there_is_told_and_never_silently_another(show, page, params) -> None:
    (asked,) = params.values()
    app = show(page, **params)
    assert [asked in one.value for one in app.toast] == [True]


@pytest.mark.parametrize(
    ("page", "param"),
    [
        ("annotate", "campaign"),
        ("curate", "campaign"),
        ("curate", "space"),
        ("train", "run"),
        ("train", "subset"),
        ("space", "run"),
    ],
)
def test_a_link_to_what_another_data_set_has_is_told_where_this_one_has_none_at_all(
    show: Show, older: Dataset, dataset: Dataset, page: str, param: str
) -> None:
    campaign = session.store().campaigns.create("theirs", older.id, None, [0]).id
    run, _ = session.store().runs.submit(parse_spec({"kind": "train", "dataset": older.id, "model": "small-resnet"}))
    named = campaign if param == "campaign" else run.id
    app = show(page, dataset=dataset.id, **{param: named})
    assert chosen(app) == dataset.id and [named in one.value for one in app.toast] == [True]
    assert param not in app.query_params and not app.run().toast, "it is said once"


@pytest.mark.usefixtures("filled_home", "waiting_queue")
@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("queued", "is waiting"),
        ("running", "is still running"),
        ("failed", "failed"),
        ("canceled", "was stopped"),
    ],
)
def test_a_link_to_a_run_without_a_result_says_what_became_of_it(show: Show, status: str, said: str) -> None:
    store = session.store()
    (known,) = store.runs.all(kind="space")
    run, _ = store.runs.submit(parse_spec({**known.spec, "seed": 99}), name="Another *space*")
    if status != "queued":
        token = store.attempts.claim(run.id, "w", "cpu")
        if status == "failed":
            store.attempts.fail(run.id, token, "No room.")
        elif status == "canceled":
            store.attempts.cancel(run.id, token)
    (toast,) = show("curate", dataset=known.dataset_id, space=run.id).toast
    assert toast.value.startswith(rf"Another \*space\* ({run.id}) {said}") and f"](jobs?run={run.id})" in toast.value


@pytest.mark.usefixtures("filled_home")
def test_a_link_to_a_deleted_run_says_when_that_was_and_one_to_another_kind_that_it_is_none(show: Show) -> None:
    store = session.store()
    evaluation = store.runs.all(kind="evaluate")[0]
    (said,) = show("train", run=evaluation.id).toast
    assert "be chosen here" in said.value
    store.runs.delete(evaluation.id)
    (said,) = show("train", dataset=evaluation.dataset_id, run=evaluation.id).toast
    assert f"{evaluation.id} was deleted on" in said.value


@pytest.mark.usefixtures("filled_home")
def test_that_the_run_a_page_shows_was_deleted_elsewhere_is_said_once(show: Show) -> None:
    store = session.store()
    known = store.runs.all(kind="train")[0]
    run, _ = store.runs.submit(parse_spec({**known.spec, "seed": 99}))
    store.attempts.request_stop(run.id)
    app = show("train", dataset=known.dataset_id, run=run.id)
    assert not app.toast
    store.runs.delete(run.id)
    (said,) = app.run().toast
    assert f"{run.id} was deleted on" in said.value
    assert not app.run().toast


@pytest.mark.usefixtures("waiting_queue")
def test_a_press_about_a_data_set_that_was_removed_meanwhile_is_not_about_another(
    show: Show, older: Dataset, dataset: Dataset
) -> None:
    store, app = session.store(), show("overview", dataset=dataset.id)
    store.removals.remove(dataset.id)
    app.button(key="loop-questions").click().run()
    assert box(app, "dataset").value == older.id and "was removed on" in app.toast[0].value
    assert not store.runs.all(), "nor of the other"
    app.button(key="loop-questions").click().run()
    assert store.runs.all(dataset=older.id)


def test_what_was_chosen_leaves_the_address_with_its_data_set(show: Show, older: Dataset, dataset: Dataset) -> None:
    campaign = session.store().campaigns.create("theirs", older.id, None, [0]).id
    app = show("annotate", dataset=older.id, campaign=campaign)
    app.selectbox(key="pick-dataset").select(dataset.id).run()
    assert chosen(app) == dataset.id and not app.toast and "campaign" not in app.query_params


@pytest.mark.usefixtures("filled_home")
def test_a_link_to_a_subset_that_is_not_done_yet_waits_in_the_address(show: Show) -> None:
    runs = session.store().runs
    (known,) = runs.all(kind="curate")
    subset, _ = runs.submit(parse_spec({**known.spec, "seed": 99}))
    app = show("train", dataset=known.dataset_id, subset=subset.id)
    assert not app.toast and app.query_params["subset"] in (subset.id, [subset.id])


@pytest.mark.usefixtures("filled_home")
def test_a_newer_space_of_the_test_images_does_not_take_the_place_of_that_of_train(show: Show) -> None:
    store = session.store()
    (space,) = store.runs.all(kind="space")
    other, _ = store.runs.submit(parse_spec({**space.spec, "split": "test"}))
    finish(other.id, {}, like=space)
    assert show("space").selectbox(key="pick-run").value == space.id


def boxes() -> dict[str, tuple[str, list[str]]]:
    """Parameter of the address -> the page of its select box, and two ids or more to choose from."""
    store = session.store()
    evaluations = [one.id for one in store.runs.all(kind="evaluate")]
    (space,) = store.runs.all(kind="space")
    campaign = store.campaigns.all()[0]
    twin = store.campaigns.create("another", campaign.dataset_id, space.id, [0])
    filters = [
        store.filters.save(campaign.dataset_id, split, ImageFilter(ranges={"loss": (0, high)}))
        for split, high in (("low", 50.0), ("all", 99.0))
    ]
    return {
        "campaign": ("annotate", [campaign.id, twin.id]),
        "baseline": ("compare", evaluations),
        "filter": ("attention", [one.id for one in filters]),
        "colour": ("space", ["group", "label"]),
        "compare": ("attention", evaluations),
    }


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
@pytest.mark.usefixtures("browser_in_step")
@pytest.mark.parametrize("param", ["campaign", "baseline", "filter", "colour", "compare"])
def test_a_link_in_mid_session_wins_and_a_later_choice_wins_over_the_address(show: Show, param: str) -> None:
    page, (first, second, *_) = boxes()[param]
    app = show(page, **{param: first})
    for linked, picked in ((second, first), (second, first), (first, second)):
        app.query_params[param] = linked  # a link on this very page
        app.run()
        assert (box(app, param).value, app.query_params[param]) == (linked, linked)
        box(app, param).select(picked).run()
        assert (box(app, param).value, app.query_params[param]) == (picked, picked)
    hop(app, "jobs")
    assert box(hop(app, page, **{param: second}), param).value == second, "shown before it was left, too"


def test_what_a_browser_reports_before_it_has_heard_of_a_link_is_nobodys_choice() -> None:
    def page() -> None:
        import streamlit as st

        from app.ui import pick

        st.button("Press", key="press")
        pick.choose("Filter", {"v-1": "low", "v-2": "high"}, "filter", none="no filter")

    app = AppTest.from_function(page).run()
    for linked in ("v-1", "v-2"):
        before, shown = app._tree, box(app, "filter").value
        app.query_params["filter"] = linked
        app.run()
        app._tree = before  # as a second press, which sends all boxes as they were
        box(app, "filter").set_value(shown)
        app.button(key="press").click().run()
        assert (box(app, "filter").value, app.query_params["filter"]) == (linked, linked)
    box(app, "filter").select("v-1").run()
    assert (box(app, "filter").value, app.query_params["filter"]) == ("v-1", "v-1")


def test_what_two_choices_have_in_common_is_told_apart_by_their_ids() -> None:
    words = pick.label_function({"d-1": "birds", "d-2": "birds", "d-3": "dogs"})
    assert [words(one) for one in ("d-1", "d-2", "d-3")] == ["birds · d-1", "birds · d-2", "dogs"]


@pytest.mark.usefixtures("filled_home")
def test_the_id_of_a_campaign_is_shown_only_where_two_have_one_name(show: Show) -> None:
    store = session.store()
    (campaign,) = store.campaigns.all()
    assert show("annotate").selectbox(key="pick-campaign").options == [campaign.name]
    twin = store.campaigns.create(campaign.name, campaign.dataset_id, str(campaign.space_run_id), [0])
    shown = show("annotate").selectbox(key="pick-campaign").options
    assert shown == [f"{campaign.name} · {one}" for one in (twin.id, campaign.id)]


@pytest.mark.usefixtures("filled_home")
def test_runs_of_one_name_are_told_apart_by_their_size_and_seed(show: Show) -> None:
    runs = session.store().runs
    (known,) = runs.all(kind="curate")
    for size, seed in ((50, 0), (50, 1)):
        finish(runs.submit(parse_spec({**known.spec, "size": size, "seed": seed}), name=known.name)[0].id, {})
    for page, label in (("train", "Train on"), ("curate", "Subset")):
        box = next(box for box in show(page, space=known.spec["space"]).selectbox if box.label == label)
        told = [one.partition(" · ")[0] for one in box.options]
        for made in (
            "50 images, seed 1",
            "50 images, seed 0",
            f"{known.spec['size']} images, seed {known.spec['seed']}",
        ):
            assert f"{known.name}, {made}" in told, page


def test_a_seed_is_said_once_and_of_a_model_that_was_trained_elsewhere_not_at_all(dataset: Dataset) -> None:
    runs, asked = session.store().runs, {"kind": "train", "dataset": dataset.id, "model": "small-resnet"}
    named, _ = runs.submit(parse_spec({**asked, "seed": 2}), name="Mine, seed 2")
    other, _ = runs.submit(parse_spec({**asked, "seed": 3}), name="Mine")
    theirs = {**asked, "mode": "registered", "checkpoint": "/srv/theirs.pt"}
    registered, _ = runs.submit(parse_spec(theirs), name="Theirs")
    told = [pick.describe(one).partition(" · ")[0] for one in (named, other, registered)]
    assert told == ["Mine, seed 2", "Mine, seed 3", "Theirs"]


def paged(n: int, param: str | None = None) -> AppTest:
    """A list of ``n`` rows, ten a page."""

    def page(param: str | None) -> None:
        import streamlit as st

        from app.ui import pick

        if not st.session_state.get("away"):
            n, of = st.session_state["n"], st.session_state["of"]
            rows = pick.page_rows(n, 10, "rows", of, param)
            st.markdown(f"{rows.start}-{rows.stop}")

    return change(AppTest.from_function(page, kwargs={"param": param}), n=n, of="all")


def change(app: AppTest, **state: object) -> AppTest:
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def shown(app: AppTest) -> str:
    return str(app.markdown[0].value)


def test_a_short_list_has_no_pages() -> None:
    app = paged(10)
    assert shown(app) == "0-10" and not app.pagination
    assert shown(paged(0)) == "0-10"


def test_other_rows_begin_at_the_first_page_also_where_there_are_as_many() -> None:
    app = paged(50)
    app.pagination[0].select(5).run()
    assert shown(app) == "40-50"
    assert shown(change(app, of="others")) == "0-10"


def test_a_list_that_shrinks_shows_its_last_page_and_one_that_grows_stays() -> None:
    app = paged(50)
    app.pagination[0].select(5).run()
    assert shown(change(app, n=32)) == "30-40"
    assert app.pagination[0].value == 4
    assert shown(change(app, n=90)) == "30-40"


@pytest.mark.parametrize(
    ("linked", "rows"), [("3", "20-30"), ("99", "40-50"), ("0", "0-10"), ("x", "0-10"), ("9" * 5000, "0-10")]
)
def test_an_address_names_a_page(linked: str, rows: str) -> None:
    app = paged(50, param="p")
    assert "p" not in app.query_params, "the first page needs no name"
    app.query_params["p"] = linked  # a link in mid-session
    assert shown(app.run()) == rows


def test_a_page_is_kept_in_the_address_and_gone_from_it_with_its_rows() -> None:
    app = paged(50, param="p")
    app.pagination[0].select(4).run()
    assert app.query_params["p"] == "4"
    change(app, of="others")
    assert shown(app) == "0-10" and "p" not in app.query_params


def test_the_way_back_to_a_list_leads_to_its_page_and_a_way_anew_to_the_first() -> None:
    app = paged(50, param="p")
    app.pagination[0].select(4).run()
    change(app, away=True)
    assert shown(change(app, away=False)) == "30-40", "the address still names it"
    change(app, away=True)
    del app.query_params["p"]
    assert shown(change(app, away=False)) == "0-10"
