"""Take the comparison along: as CSV, or as one HTML file with its plots that opens without a server; and its models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from app import session
from app.compare.parts.view import SelectedRuns
from app.ui import download, export
from app.ui.messages import errors_shown
from slim_core.evaluation.report.build import collect
from slim_core.evaluation.report.page import render
from slim_core.formatting import to_csv

if TYPE_CHECKING:
    from slim_core.store import Dataset

OF_A_RESULT = ("model", "maps", "fiftyone")  # of a model, and of its evaluation


def show(dataset: Dataset, chosen: SelectedRuns) -> None:
    """Two buttons, whose files are made when they are pressed, and the models and predictions of the ticked runs."""
    link = st.context.url
    ids, baseline, after = chosen.rows.index.tolist(), chosen.baseline, st.query_params.get("after")
    address = f"{link}?{_query()}" if link else None
    store, compared = session.store(), chosen.compared

    def report() -> bytes:
        runs = [compared.evaluations[one] for one in ids]
        return render(collect(store, runs, baseline, ancestry=compared.ancestry, after=after, link=address)).encode()

    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{len(ids):,} of {len(compared.rows):,} runs ticked. More columns: the eye icon above the table.",
            help="The address of this page reproduces this view.",
        )
        download.button(
            "CSV", lambda: to_csv(chosen.rows, index=True).encode(), f"compare-{dataset.name}.csv", "text/csv",
            icon="table", help="The ticked rows with all metrics; rates from 0 to 1.",
        )  # fmt: skip
        download.button(
            "Report", report, f"compare-{dataset.name}.html", "text/html", icon="description",
            help="One HTML file: plots, tables, pictures, definitions, lineage; opens offline.",
        )  # fmt: skip
        with st.popover("Model", icon=":material/download:"), errors_shown():
            _model(chosen)


def _model(chosen: SelectedRuns) -> None:
    """The forms of one of the ticked runs: of its model, and of its evaluation."""
    labels: dict[Any, str] = chosen.rows["label"].to_dict()
    picked = st.selectbox("Run", list(labels), format_func=labels.__getitem__, key="export-run")
    evaluation = chosen.compared.evaluations[picked]
    model = session.store().runs.find(evaluation.spec["model"])
    export.choose([one for one in (model, evaluation) if one is not None], OF_A_RESULT)


def _query() -> str:
    """What the address says after its question mark."""
    return urlencode([(key, value) for key in st.query_params for value in st.query_params.get_all(key)])
