"""What an import found, a line each; a finding opens its images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.ui.escape import prose, verbatim
from app.ui.reruns import dialog
from slim_core.data.files.check import causes_for
from slim_core.data.images.transform import ImageTransform, load_picture
from slim_core.errors import ImageRefusedError
from slim_core.formatting import to_csv

LEVELS = {"error": ":red[:material/error:]", "warning": ":orange[:material/warning:]", "note": ":material/info:"}
PICTURE = ImageTransform(size=112, resize_ratio=1.0)
Report = Mapping[str, Any]  # ImportReport.to_json()


def show(report: Report, *, key: str) -> None:
    """Errors, then warnings, then what was decided for the data set and how it was read."""
    with st.container(gap="xsmall"):
        for number, finding in _in_order(report):
            text, images = st.columns([8, 1], vertical_alignment="center")
            _line(text, images, report, finding, f"{key}-{number}")
        _left_out(report)


def show_and_choose(report: Report, *, key: str) -> list[str]:
    """``show`` with a box beside each finding whose images can be left out; the causes that were chosen."""
    chosen: list[str] = []
    with st.container(gap="xsmall"):
        for number, finding in _in_order(report):
            text, images, box = st.columns([7, 1, 1.4], vertical_alignment="center")
            _line(text, images, report, finding, f"{key}-{number}")
            for cause in causes_for({finding["code"]}):
                if box.checkbox("Leave these out", key=f"{key}-leave-out-{cause}"):
                    chosen.append(cause)
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


def _left_out(report: Report) -> None:
    """All that were left out, as a file."""
    facts = report.get("left_out") or ()
    if facts:
        frame = pd.concat([_rows(fact) for fact in facts])
        st.download_button("Left-out images", to_csv(frame), "left-out.csv", "text/csv", icon=":material/download:")


def _rows(fact: Mapping[str, Any]) -> pd.DataFrame:
    lines = fact["lines"] or [None] * len(fact["paths"])
    return pd.DataFrame({"cause": fact["cause"], "line": pd.array(lines, "Int64"), "path": fact["paths"]})
