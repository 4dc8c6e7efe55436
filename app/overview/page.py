"""Overview: what the model got wrong, why, whether it is better now; the loop as a row of steps, and what runs now."""

import streamlit as st

from app import session
from app.overview import tries
from app.overview.loop import make, show_loop, show_row
from app.overview.verdict import for_news, show, show_figures, show_headline, state
from app.services import loop_state
from app.services.results import comparison
from app.ui import demo_data, export, finder, next_step, pick, progress, verdict
from app.ui.messages import errors_shown, verbatim

st.title("Overview")

at_top = st.container(horizontal=True)
with at_top:
    dataset = pick.dataset()
known = state(dataset.id if dataset else None)
if dataset is None:
    st.markdown(
        "SLIM Studio shows **where an image classifier looks**, asks you about a few images whether that is "
        "right, and returns a small, balanced subset and a model that relies less on the background."
    )
    show_row(loop_state.unbegun())
    if session.viewer().may("lead"):
        next_step.show(f"register a folder of images on {export.machine()}.", "data", "Register data")
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown("No data at hand? The demo: 4,200 images of real digits on real photographs.", width="stretch")
            demo_data.button()
        demo_data.register()
    else:
        next_step.here(next_step.WAIT_FOR_DATA)
    for_news(known)
    st.stop()

compared, said = None, set[str]()
with errors_shown(said):
    compared = comparison.read(dataset.id)
loop = loop_state.read(session.store(), dataset.id)
if len(loop.results) > 1 or loop.after is not None:
    with at_top:
        chosen = show(loop.results)
    if loop.result is not None and chosen != loop.result.id:
        loop = loop_state.read(session.store(), dataset.id, chosen)
facts = loop_state.facts_of(loop, compared) if compared is not None else loop_state.Facts()
found = loop_state.verdict(loop, compared, facts, named=verbatim) if compared is not None else None
# a place of its own for each part: one that comes or goes changes no other
place = make(dataset.id, ["steps", "next", "finder", *(["headline", "figures"] if loop.before else [])])
with place["headline"]:
    show_headline(loop, found, said)
with place["steps"]:
    show_row(loop)
with place["next"]:
    in_pipelines = progress.show_pipelines(dataset.id)
    to_try = tries.offered(loop.result, found, said)
    with st.container(horizontal=True, vertical_alignment="center", key="next-step"):
        if in_pipelines:
            progress.wait(in_pipelines, "wait for the steps above; you can close this page.")
        elif found is not None and found.is_perfect:
            progress.show_next(loop, found)
        elif show_loop(dataset, loop):
            pass
        elif loop.next is None and loop.result is not None and to_try:
            tries.show_next(to_try[0], loop.result)
            to_try = to_try[1:]
        else:
            progress.show_next(loop, found, below_pipelines=True)
        if found is not None and not found.is_perfect:
            tries.show_menu(to_try, loop.result, facts)
    if loop.before is None:
        verdict.show_what_test_can_show(dataset.report)
with place["finder"]:
    with errors_shown(said):
        finder.show_suspicious(next((step.run for step in loop.steps if step.name == "attention"), None))
with place["figures"]:
    show_figures(loop, compared, found, said)

if not progress.show(dataset=dataset.id, without=in_pipelines) and not in_pipelines:
    # also while the above still polls, for a moment after the last run: then it stops
    for_news(known, dataset.id)
