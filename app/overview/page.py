"""Overview: what the model got wrong, why, whether it is better now; the loop as a row of steps, and what runs now."""

import streamlit as st

from app import session
from app.overview.loop import make, show_loop, show_row
from app.overview.tries import show_tries
from app.overview.verdict import for_news, show, show_figures, show_story, state
from app.services import loop_state
from app.services.results import comparison
from app.ui import demo_data, export, next_step, pick, progress, verdict
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
# a place of its own for each part: one that comes or goes, such as a story that is there at last, changes no other
present = [*(["headline", "story", "figures"] if loop.before else []), *(["tries"] if loop.after else [])]
place = make(dataset.id, ["news", "steps", *present])
found = loop_state.verdict(loop, compared, named=verbatim) if compared is not None else None
with place["headline"]:
    if found is not None:
        verdict.show(found)
    elif loop.before is not None:
        verdict.show_before(loop.before.metrics or {})
with place["news"]:
    in_pipelines = progress.show_pipelines(dataset.id)
    is_perfect = found is not None and found.is_perfect
    has_next = not in_pipelines and not is_perfect and show_loop(dataset, loop)
    if in_pipelines:
        st.empty()  # the button that was pressed goes at once, not when the rest of the page is drawn
if loop.before is None:
    with place["news"]:
        verdict.show_what_test_can_show(dataset.report)
with place["story"]:
    show_story(loop, found, said)
with place["tries"]:
    facts = loop_state.facts_of(loop, compared) if compared is not None else loop_state.Facts()
    # beside the verdict they answer, and in sight of their progress
    has_tries = show_tries(loop.result, found, facts, said)
with place["figures"]:
    show_figures(loop, compared, found, said)
with place["steps"]:
    show_row(loop)
    if in_pipelines:
        progress.wait(in_pipelines, "wait for the steps above; you can close this page.")
    elif not has_next:
        progress.show_next(loop, found, below_pipelines=True, below_tries=has_tries)

if not progress.show(dataset=dataset.id, without=in_pipelines) and not in_pipelines:
    # also while the above still polls, for a moment after the last run: then it stops
    for_news(known, dataset.id)
