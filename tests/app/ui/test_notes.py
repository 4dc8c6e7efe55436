"""Names, notes and tags, changed where a run, a subset or a campaign is shown."""

from __future__ import annotations

import pytest

from app import session
from slim_core.store import Note


def save(app, subject: str, name: str, text: str, *tags: str) -> None:
    app.text_input(key=f"name-{subject}").set_value(name)
    app.text_area(key=f"note-{subject}").set_value(text)
    app.multiselect(key=f"tags-{subject}").set_value(list(tags))
    next(one for one in app.button if one.label == "Save").click().run()
    assert not app.exception and not app.error


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(("page", "kind"), [("jobs", "evaluate"), ("train", "train"), ("curate", "curate")])
def test_a_run_is_named_where_it_is_shown(show, page: str, kind: str) -> None:
    store = session.store()
    run = store.runs.all(kind=kind)[0]
    store.notes.write(run.id, name=run.name, text="", tags=["known"])
    app = show(page, dataset=run.dataset_id, **{"subset" if kind == "curate" else "run": run.id})
    save(app, run.id, "Without *augmentation*", "As they wrote.", "known")
    assert store.runs.fetch(run.id).name == "Without *augmentation*"
    assert store.notes.fetch(run.id) == Note("As they wrote.", ("known",))
    assert any(text.value == "As they wrote." for text in app.caption)
    assert any(text.value == ":blue-badge[known]" for text in app.markdown)


@pytest.mark.usefixtures("filled_home")
def test_a_name_that_is_none_is_refused_in_a_sentence(show) -> None:
    run = session.store().runs.all(kind="train")[0]
    app = show("jobs", run=run.id)
    app.text_input(key=f"name-{run.id}").set_value("  ")
    next(one for one in app.button if one.label == "Save").click().run()
    assert any("not a name" in error.value for error in app.error)
