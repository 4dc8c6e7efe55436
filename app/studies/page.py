"""Studies: which method holds over data sets and seeds, which labels does it use, and what does it cost?"""

import streamlit as st

from app import session
from app.studies.parts import empty, export, single_runs, table, view, watch
from app.ui.choosing import pick
from app.ui.glossary import explain
from app.ui.messages import errors_shown
from slim_core.evaluation.study.summary import result_of

st.title("Studies", help=explain("WGA", "95 % interval"))

store = session.store()
study = pick.study("Study", store.studies.all())
if study is None:
    empty.show(store.datasets.all())
    watch.for_the_first()
    st.stop()

with errors_shown():
    result = result_of(store, study.id)
    export.show(study, result)
    picked = ""
    if result.frame.empty:
        st.info("No case has ended yet. Each appears here as soon as it has.")
    else:
        picked = table.show(result)
        view.show(result, picked)
    single_runs.show(result, picked)
watch.for_cases(study)
