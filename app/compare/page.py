"""Compare: is the new model better, for whom, and what did it cost?"""

import streamlit as st

from app import session
from app.compare.view import (
    SelectedRuns,
    choose,
    show_export,
    show_next,
    show_other_groups,
    show_table,
    show_view,
    until_evaluated,
)
from app.services import loop_state
from app.services.results.comparison import read
from app.ui import next_step, pick, submit, training, verdict
from app.ui.messages import errors_shown, explain, verbatim

st.title("Compare", help=explain("WGA", "group", "95 % interval"))

store = session.store()
dataset = pick.dataset()
if dataset is None:
    next_step.needs_data("Compare evaluated models here, group by group. Register data first.")
    st.stop()

trainings = store.runs.all(kind="train", dataset=dataset.id, metrics=False)
models = [one for one in trainings if one.status == "done"]
stages = loop_state.stages(trainings)
evaluations = store.runs.all(kind="evaluate", dataset=dataset.id, metrics=False)
is_offered = training.show_unevaluated([one for one in models if one.id not in stages], evaluations)

if any(one.status == "done" for one in evaluations):
    with errors_shown():
        compared = read(dataset.id)
        if compared is None:  # the only evaluation was deleted since: the page has nothing to compare
            st.rerun()
        loop = loop_state.read(store, dataset.id)
        found = loop_state.verdict(loop, compared, loop_state.facts_of(loop, compared), named=verbatim)
        if found is not None:
            verdict.show(found)
        choice = choose(compared)
        ticked = show_table(choice) if choice else []
        if choice is None:
            st.info("No run matches these filters. Clear one of them.")
        elif not ticked:
            st.info("Tick the runs to compare in the table.")
        else:
            chosen = SelectedRuns(compared, choice.visible.loc[ticked], choice.baseline)
            show_export(dataset, chosen)
            show_other_groups(chosen)
            show_view(chosen)
        show_next(dataset.id, loop, found, compared, is_offered=is_offered)
elif models:
    st.info("No model is evaluated yet.")
    until_evaluated(dataset, is_offered=is_offered)
else:
    missing = "This data set has no trained model yet. Models are compared here."
    submit.show_needed(dataset.id, ("train",), missing, "train a model first.", "train", "Train")
