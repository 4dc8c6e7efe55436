"""More like this: the images nearest to one by their features (?like=5), which can be made the selection."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app import session
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from app.space import similarity
from app.space.parts import ask_annotators, strip
from app.ui.choosing import selection, url_state
from app.ui.choosing.url_state import number_of
from app.ui.escape import verbatim
from app.ui.images import details, pictures
from app.ui.images.pictures import SMALL_MOST_PX, SMALL_PX

PARAM, FEATURES, NUMBER = "like", "features", "nearest"  # in the address
NUMBERS = (24, 48, 96)
HELP = "Distances are Euclidean, between the features of the images of this space.\n\n" + "\n".join(
    f"- **{name}:** {what}" for name, what in similarity.ABOUT.items()
)


def show(data: SpaceData) -> int | None:
    """The images like the one that the address names; returns the row whose image was opened just now."""
    named = url_state.chosen(PARAM, data.dataset)  # of another one, the image of that number is another one
    if not named:
        return None
    row = number_of(named)
    at = -1 if row is None else int(space_data.positions_of(data, np.array([row]))[0])
    known = similarity.kept(data)
    if at < 0 or not known:
        _close()
        why = f"the features of {data.attention} were removed" if at >= 0 else "it is not in this space"
        st.info(f"No images like image {verbatim(named)} can be shown: {why}.")
        return None
    with st.container(border=True, key="similar"):
        return _nearest(data, at, known)


def button(row: int) -> None:
    """Shows the images like an opened one."""
    if st.button("More like this", key="more-like-this", icon=":material/image_search:"):
        url_state.put(PARAM, str(row))
        details.close()
        st.rerun()


def _nearest(data: SpaceData, at: int, known: list[str]) -> int | None:
    row = int(data.rows[at])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(f"More like image {row}", anchor=False, width="stretch")
        by = st.segmented_control("By", known, default=known[0], required=True, key=FEATURES, bind="query-params",
                                  help=HELP, width="content")  # fmt: skip
        n = st.segmented_control("Images", NUMBERS, default=NUMBERS[0], required=True, key=NUMBER, bind="query-params",
                                 width="content")  # fmt: skip
        with st.spinner("Comparing the features ...", show_time=True):
            found, distances = similarity.nearest(data, at, by, n)
        _actions(data, np.append(found, at))
    records = data.scores.iloc[found].to_dict("records")
    lines = [pictures.bold(f"{rank} · {distance:.2f}") for rank, distance in enumerate(distances.tolist(), 1)]
    tiles = [strip.tile(data, record, line) for record, line in zip(records, lines, strict=True)]
    first = strip.tile(data, data.scores.iloc[at].to_dict(), pictures.bold("this image"))
    opened = pictures.gallery(
        data.dataset, [first, *tiles], key=f"similar-{data.run}", wide=SMALL_PX, most=SMALL_MOST_PX, small=True
    )
    st.caption(f"Rank and distance by {by} features: {similarity.ABOUT[by]}. Label → prediction.")
    return opened


def _actions(data: SpaceData, positions: np.ndarray) -> None:
    if st.button(f"Select these {len(positions)}", key="similar-select", icon=":material/select_all:"):
        selection.keep(data, positions)
        st.rerun()
    may = session.viewer().may("lead")
    if may and st.button("Ask about these", key="similar-ask", icon=":material/campaign:"):
        selection.keep(data, positions)
        ask_annotators.open_campaign(data)
    if st.button("Close", key="similar-close", icon=":material/close:", type="tertiary"):
        _close()
        st.rerun()


def _close() -> None:
    """Streamlit takes the two that are bound to choices here out of the address itself."""
    url_state.put(PARAM, "")
