"""Counts of a selection against the whole, as a real table: it says in words what the plot shows."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.services.results.space_data import SpaceData
from app.space.parts.colours import ShownSpace
from slim_core.data.groups import Grouping
from slim_core.formatting import percent

WAYS = ("group", "label", "prediction")


def show(shown: ShownSpace, selected: np.ndarray) -> None:
    """The table, by what the person chooses; all images where nothing is selected."""
    by = st.segmented_control("Count by", WAYS, default=WAYS[0], key="space-count", width="content") or WAYS[0]
    data = shown.data
    table = count_by(data, selected, _grouping(shown, by))
    st.html(as_html(table, by, len(selected), len(data)))


def count_by(data: SpaceData, selected: np.ndarray, grouping: Grouping) -> pd.DataFrame:
    """One row a name of ``grouping`` present in the selection (in all images where it is empty).

    Columns: name, n, of_selection and of_all (shares of the selection and of all images, 0..1), of_name (share of
    the images of this name that are selected), accuracy (in the selection).
    """
    chosen = selected if len(selected) else np.arange(len(data))
    names = [*grouping.names, "unknown"]
    index = np.where(grouping.index >= 0, grouping.index, len(names) - 1)
    whole = np.bincount(index, minlength=len(names))
    n = np.bincount(index[chosen], minlength=len(names))
    right = np.bincount(index[chosen], data.correct[chosen], minlength=len(names))
    table = pd.DataFrame({"name": names, "n": n, "whole": whole, "right": right})[n > 0]
    table = table.assign(
        of_selection=table["n"] / len(chosen),
        of_all=table["whole"] / len(data),
        of_name=table["n"] / table["whole"],
        accuracy=table["right"] / table["n"],
    )
    return table[["name", "n", "of_selection", "of_all", "of_name", "accuracy"]].reset_index(drop=True)


def _grouping(shown: ShownSpace, by: str) -> Grouping:
    """Groups are called as in the legend of the plot."""
    if by == "group":
        return shown.data.groups
    data = shown.data
    return Grouping(data.labels if by == "label" else data.predictions, data.table.label_names)


def as_html(table: pd.DataFrame, by: str, n_selected: int, n_all: int) -> str:
    """The table with a bar a row: how much of the selection it makes up, and a mark where it lies among all images."""
    head = ["Images", "Share of selection", "of all", "Selected", "Accuracy"]
    if not n_selected:
        head = ["Images", "Share of all", "Accuracy"]
    rows = "".join(_row(record, chosen=n_selected > 0) for record in table.to_dict("records"))
    caption = f"{n_selected:,} selected of {n_all:,} images" if n_selected else f"All {n_all:,} images"
    columns = "".join(f'<th scope="col">{name}</th>' for name in (by.capitalize(), *head))
    chosen = " chosen" if n_selected else ""
    return (
        f'<div class="slim-scroll" tabindex="0"><table class="slim-counts{chosen}"><caption>{caption}</caption>'
        f"<thead><tr>{columns}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(record: Mapping[Any, Any], *, chosen: bool) -> str:
    mark = f'<u style="left: {record["of_all"]:.1%}" title="share among all images"></u>' if chosen else ""
    bar = f'<span class="bar" aria-hidden="true"><i style="width: {record["of_selection"]:.1%}"></i>{mark}</span>'
    cells = [f"{record['n']:,}", f'{bar}<span class="rate">{percent(record["of_selection"])}</span>']
    if chosen:
        cells += [percent(record["of_all"]), percent(record["of_name"])]
    cells.append(percent(record["accuracy"]))
    name = html.escape(str(record["name"]))
    return f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
