"""The step between a path and a data set: check, read what was found, then register; and what was found, of both.

What takes long is done where it moves nothing: a check in room that is kept for its report, the registering on a page
whose form is folded already. A page may move at a press, but not some seconds after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from app.data import forms
from app.services import actions
from app.ui import demo_data, tables, verdict
from app.ui.messages import errors_shown, explain, for_reader, prose, verbatim
from app.ui.reruns import dialog
from slim_core.data import unpacking
from slim_core.data.checks.files import NOT_SQUARE, causes_for
from slim_core.data.images.codec import FITS, Fit, ImageTransform, decoded, load_picture
from slim_core.data.importing import ToImport
from slim_core.errors import ImageRefusedError, SlimError
from slim_core.evaluation.charts import results as charts
from slim_core.formatting import shortened, to_csv

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

KEY = "import-check"  # of the session: the last check
FORM = "form"  # where a check is shown: below the form, or beside the data set that was checked again
_ASKED = "register-asked"  # of the session: the check that is registered now, and what is left out
_TURN = "register-turn"  # of the session: how often the form was folded or unfolded by us


@dataclass(frozen=True)
class CheckResult:
    """What was checked, what was found, and how it differs from what is registered."""

    asked: ToImport
    report: dict[str, Any]  # ImportReport.to_json()
    news: str  # "" where nothing is registered from there
    place: str
    refused: str = ""  # why it could not be registered, where that is not in the report


def around_form(*, begins_open: bool) -> ExpanderContainer:
    """What the form is drawn in where it is open, or folded just now. ``begins_open``: until it was folded.

    It folds at the press of Register: as another element, since one that is kept would fold slowly.
    """
    turn = st.session_state.get(_TURN, 0)
    key = f"register-open-{turn}"
    st.session_state.setdefault(key, begins_open and not turn)
    return st.expander("Register data", icon=":material/add:", key=key, on_change="rerun")


def is_registering() -> bool:
    """Whether Register was pressed: the form is drawn once more, so that what is typed stays if it is refused."""
    return _ASKED in st.session_state


def show(asked: ToImport, *, pressed: bool, place: str = FORM, unpack: Callable[[str], None] | None = None) -> None:
    """The report of a check, if it is of what is asked for now, and the button that registers.

    Args:
        asked: what is asked for now.
        pressed: check it first.
        place: where it is shown.
        unpack: allows that the images inside the files of a path are written out.
    """
    if pressed and not asked.path:
        st.warning("Enter the path of a folder or of a metadata file above.", icon=":material/edit:")
    elif pressed or is_shown(asked, place):
        with st.container(key="checking" if pressed else "checked"):  # page.css keeps room for what a check finds
            if pressed:
                _check(asked, place)
            if (checked := _fitting(asked, place)) is not None:
                _report(checked, unpack)


def is_shown(asked: ToImport, place: str = FORM) -> bool:
    """Whether the last check is of what is asked for now."""
    return _fitting(asked, place) is not None


def todo(asked: ToImport | None) -> str:
    """What comes next in the form, where no data is registered yet; None: the form is folded."""
    checked = None if asked is None else _fitting(asked, FORM)
    if checked is None:
        return "enter a folder above and press *Check*, or try the demo data."
    if not checked.report["n_images"]:
        return "correct what is marked above and press *Check* again."
    if any(one["level"] == "error" for one in checked.report["findings"]):
        return "leave out or correct what is marked above, then press *Register*."
    return "press *Register* above."


def _fitting(asked: ToImport, place: str) -> CheckResult | None:
    """The last check, if it is of this. Another name finds nothing else, so it needs no other check."""
    checked: CheckResult | None = st.session_state.get(KEY)
    if checked is None or checked.place != place:
        return None
    named = checked.asked if asked.name is None else replace(checked.asked, name=asked.name)
    return replace(checked, asked=asked) if named == asked else None


def _check(asked: ToImport, place: str) -> None:
    """Check a folder or table; its report stays until something else is asked for."""
    bar = st.progress(0.0, text="Reading the metadata")
    with errors_shown():
        report, news = actions.check(asked, demo_data.onto(bar))
        st.session_state[KEY] = CheckResult(asked, report.to_json(), news, place)
    bar.empty()


def _report(checked: CheckResult, unpack: Callable[[str], None] | None) -> None:
    report = checked.report
    with st.container(border=True):
        st.markdown(_headline(report, checked.asked.name))
        if checked.refused:
            st.error(prose(checked.refused), icon=":material/error:")
        if checked.news:
            st.markdown(f":material/history: {prose(checked.news)}")
        causes = choose_findings(report, key=f"check-{report['path']}")  # what is ticked is of this data alone
        if report["n_images"]:
            with st.container(width=640):
                counts_table(report, key="checked-counts")
        if unpack and unpacking.CODE in [one["code"] for one in report["findings"]]:
            st.button("Unpack the images", icon=":material/unarchive:", on_click=unpack, args=(checked.asked.path,))
        _button(checked, causes)


def _headline(report: Mapping[str, Any], name: str | None) -> str:
    path = verbatim(report["path"])
    if not report["n_images"]:
        return f"**{path} was not registered.** Nothing was changed."
    splits = ", ".join(f"{split} {n:,}" for split, n in report["splits"].items())
    name = verbatim(name or report["name"])
    return f"**{name}**: {report['n_images']:,} images ({splits}). A check registers nothing."


def _button(checked: CheckResult, causes: Sequence[str]) -> None:
    if not checked.report["n_images"]:
        return
    errors = {one["code"] for one in checked.report["findings"] if one["level"] == "error"}
    left = [code for code in errors if not set(causes_for({code})) & set(causes)]
    reason = "Leave the images out, or correct what is marked :red[:material/error:] and check again." if left else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Register",
            type="primary",
            disabled=bool(left),
            icon=":material/add:",
            on_click=_ask,
            args=(checked, causes),
        )
        st.caption(reason or "Images stay where they are.")


def _ask(checked: CheckResult, causes: Sequence[str]) -> None:
    """What is typed as the name counts, also where it comes together with the press: a field tells it when left."""
    if checked.place == FORM and (typed := st.session_state.get(forms.NAME, "").strip()):
        checked = replace(checked, asked=replace(checked.asked, name=typed))
    st.session_state[_ASKED] = (checked, causes)
    _turn(is_open=False)


def _turn(*, is_open: bool) -> None:
    """Fold or unfold the form in the next run."""
    turn = st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    st.session_state[f"register-open-{turn}"] = is_open


def register() -> None:
    """Register what was asked for by the last press, and open its page. Where it is refused, the form opens again.

    A click elsewhere ends this run of the page, and what it does: the next one finds still what was asked for.
    """
    if not is_registering():
        return
    checked, causes = st.session_state[_ASKED]
    bar = st.container(key="registering").progress(0.0, text="Reading the metadata")
    try:
        report, dataset = actions.register(checked.asked, leave_out=causes, progress=demo_data.onto(bar))
    except SlimError as error:
        _refuse(checked, for_reader(error))
    except Exception:
        del st.session_state[_ASKED]
        raise
    if dataset is None:  # something has changed, or leaving images out empties a class
        _refuse(replace(checked, report=report.to_json()))
    for key in (_ASKED, KEY):
        st.session_state.pop(key, None)
    demo_data.open_page(dataset, report.name)


def _refuse(checked: CheckResult, why: str = "") -> NoReturn:
    """Show the check again, with the reason where its report does not say it."""
    st.session_state.pop(_ASKED)
    st.session_state[KEY] = replace(checked, refused=why)
    _turn(is_open=checked.place == FORM)
    st.rerun()


LEVELS = {"error": ":red[:material/error:]", "warning": ":orange[:material/warning:]", "note": ":material/info:"}
PICTURE = ImageTransform(size=112, resize_ratio=1.0)
Report = Mapping[str, Any]  # ImportReport.to_json()


def show_findings(report: Report, *, key: str) -> None:
    """Errors, then warnings, then what was decided for the data set and how it was read."""
    with st.container(gap="xsmall"):
        for number, finding in _in_order(report):
            text, images = st.columns([8, 1], vertical_alignment="center")
            _line(text, images, report, finding, f"{key}-{number}")
        _left_out(report)


def choose_findings(report: Report, *, key: str) -> list[str]:
    """``show_findings`` with a box beside each finding whose images can be left out; the causes that were chosen."""
    chosen: list[str] = []
    with st.container(gap="xsmall"):
        for number, finding in _in_order(report):
            text, images, box = st.columns([7, 1, 1.4], vertical_alignment="center")
            _line(text, images, report, finding, f"{key}-{number}")
            for cause in causes_for({finding["code"]}):
                if box.checkbox("Leave these out", key=f"{key}-leave-out-{cause}"):
                    chosen.append(cause)
            if finding["code"] == NOT_SQUARE:
                _frames(report, finding)
    return chosen


def _in_order(report: Report) -> list[tuple[int, dict[str, Any]]]:
    found = list(enumerate(report["findings"]))
    if report.get("reason"):
        how = {"level": "note", "code": "format", "message": f"Read as {report['format']}: {report['reason']}."}
        found.append((len(found), how))
    return sorted(found, key=lambda one: list(LEVELS).index(one[1]["level"]))


def _line(text: DeltaGenerator, images: DeltaGenerator, report: Report, finding: dict[str, Any], key: str) -> None:
    text.markdown(f"{LEVELS[finding['level']]} {prose(finding['message'])}")
    if finding.get("paths") and images.button("Images", key=key, type="tertiary", icon=":material/photo_library:"):
        _images(report, finding)


@dialog("Images of this finding")
def _images(report: Report, finding: dict[str, Any]) -> None:
    """The first images: those that can be drawn, and the names of all others with the reason."""
    st.markdown(prose(finding["message"]))
    if finding["code"] == NOT_SQUARE:
        _frames(report, finding)
        return
    pictures, refused = [], []
    for number, name in enumerate(finding["paths"]):
        line = f"line {finding['lines'][number]}" if finding["lines"] else ""
        try:
            pictures.append((load_picture(Path(report["root"], name), PICTURE), " · ".join(filter(None, (line, name)))))
        except ImageRefusedError as error:
            refused.append({"Line": line.removeprefix("line "), "Image": name, "Reason": str(error)})
    if pictures:
        st.image([one for one, _ in pictures], [verbatim(caption) for _, caption in pictures], width=PICTURE.size)
    if refused:
        frame = pd.DataFrame(refused)
        st.dataframe(frame if finding["lines"] else frame.drop(columns="Line"), width="stretch", hide_index=True)
    if finding["count"] > len(finding["paths"]):
        st.caption(f"The first {len(finding['paths'])} of {finding['count']:,}.")


SHARP = 2  # pixels drawn for one that is shown
MOST_FRAMED, FRAMED, GAP = 4, ImageTransform(size=76 * SHARP, resize_ratio=1.0), 6 * SHARP  # of a row; between them
FRAME, OUTSIDE = (230, 159, 0), 0.35  # Okabe-Ito orange; how much is left of what is cut off


def _frames(report: Report, finding: Mapping[str, Any]) -> None:
    """The longest images, and what a model sees of each by every fit."""
    images = []
    for name in finding["paths"][:MOST_FRAMED]:
        with suppress(ImageRefusedError):
            images.append(decoded(Path(report["root"], name), "RGB", FRAMED.size))
    if images:
        with st.container(horizontal=True):
            for fit, label in FITS.items():
                drawn = [np.pad(_framed(one, fit), ((0, 0), (0, GAP), (0, 0)), constant_values=255) for one in images]
                row = np.concatenate(drawn, axis=1)[:, :-GAP]
                st.image(row, label.capitalize(), width=row.shape[1] // SHARP)


def _framed(image: Image.Image, fit: Fit) -> np.ndarray:
    """(side, side, 3) uint8: the frame a model sees, over the whole image where that is larger."""
    seen = replace(FRAMED, fit=fit)
    whole = replace(seen, fit="pad", mean=(1.0, 1.0, 1.0)) if fit == "crop" else seen
    pixels, frame, around = np.array(whole.seen(image)), seen.frame(image.size), whole.frame(image.size)
    corners = [around.to_seen(*frame.to_image(at, at)) for at in (0, 1)]
    (left, top), (right, bottom) = (np.rint(np.multiply(FRAMED.size, each)).astype(int) for each in corners)
    inside, core = np.zeros((2, *pixels.shape[:2]), bool)
    inside[top:bottom, left:right] = core[top + 4 : bottom - 4, left + 4 : right - 4] = True
    pixels[~inside] = 255 - OUTSIDE * (255.0 - pixels[~inside])
    pixels[inside & ~core] = FRAME
    return pixels


def _left_out(report: Report) -> None:
    """All that were left out, as a file."""
    facts = report.get("left_out") or ()
    if facts:
        frame = pd.concat([_left_out_rows(fact) for fact in facts])
        st.download_button("Left-out images", to_csv(frame), "left-out.csv", "text/csv", icon=":material/download:")


def _left_out_rows(fact: Mapping[str, Any]) -> pd.DataFrame:
    lines = fact["lines"] or [None] * len(fact["paths"])
    return pd.DataFrame({"cause": fact["cause"], "line": pd.array(lines, "Int64"), "path": fact["paths"]})


LETTERS = 34  # of a name; longer ones would push the counts out of the table. The chart has them whole
FEW_LETTERS = 20  # beside longer names, three counts need half of a page of 1,280 pixels


def show_counts(report: Mapping[str, Any], *, estimated: bool = False, n_drawn: int = 0) -> None:
    """Images per group and split, as a table and as shares.

    ``estimated``: whether groups are, once there is a model; ``n_drawn``: images that people drew on.
    """
    frame = charts.split_frame(report["groups"], report["splits"])
    longest = max(map(len, frame.index), default=0)
    left, right = st.columns([2, 3] if longest <= FEW_LETTERS else 2, gap="large")
    with left:
        counts_table(report, n_drawn)
        if estimated:
            st.caption("Without attributes these are the classes. After training, groups are class x environment.")
    with right:
        tables.show_chart(charts.split_shares(frame), key="split-shares", alt="Share of each group in each split")


def counts_table(report: Mapping[str, Any], n_drawn: int = 0, key: str = "counts") -> None:
    """Images per group and split, and how many have a mask; ``key``: its own where a page has two."""
    frame = charts.split_frame(report["groups"], report["splits"])
    numbers = {split: st.column_config.NumberColumn(format="localized") for split in frame.columns}
    names = [shortened(name, LETTERS) for name in frame.index]
    tables.place(key, names).dataframe(
        frame.set_axis(names).rename_axis("Group"),
        width="stretch",
        height=tables.height(len(frame)),
        placeholder="–",
        column_config=numbers,
        alt="Images by group and split",
    )
    masks, images = report["n_masks"], report["n_images"]
    drawn = f", {n_drawn:,} drawn on" if n_drawn else ""
    st.caption(
        f"{images:,} images; {masks:,} with a mask or box for attention scores{drawn}.",
        help=explain("attention precision", "AIoU"),
    )
    verdict.show_what_test_can_show(report)
