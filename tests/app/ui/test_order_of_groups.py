"""Groups and classes stand in the order of the data everywhere, not in that of their letters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import session
from slim_core.metrics import groups_of
from tests.app.conftest import Show
from tests.app.renaming import rename

NAMES = {"0": "9", "1": "10"}  # by their letters the second class comes first


@pytest.fixture(autouse=True)
def named(filled_home: Path) -> None:
    """The classes of ``filled_home`` are called so."""
    assert rename(filled_home, renamed) == tuple(NAMES.values())


def renamed(text: str | None) -> str | None:
    return text and re.sub(r'(?<=")[01](?=[",])', lambda found: NAMES[found[0]], text)


@pytest.fixture
def groups(named: None) -> list[str]:
    """As the table of groups on Compare has them."""
    metrics = session.store().runs.all(kind="evaluate", status="done")[0].metrics
    return [group["name"] for group in groups_of(metrics or {}) if group["n"]]


def test_the_groups_of_the_gallery_and_of_the_scores_are_those_of_compare(show: Show, groups: list[str]) -> None:
    assert [name.partition(",")[0] for name in groups] == ["9", "9", "10", "10"]
    gallery = show("attention")
    assert list(gallery.selectbox(key="attention-group").options) == ["all groups", *groups]
    scores = show("attention", **{"attention-tab": "Scores per group"})
    (table,) = [one.value for one in scores.dataframe if "name" in one.value]
    assert table["name"].tolist() == groups


def test_so_are_those_of_the_same_images_before_and_after(show: Show, groups: list[str]) -> None:
    app = show("compare", view="Attention")
    assert list(app.selectbox(key="group").options) == ["all groups", *groups]


def test_a_filter_of_space_offers_groups_and_classes_in_that_order(show: Show, groups: list[str]) -> None:
    app = show("space")
    offered = {part: list(app.multiselect(key=f"filter-{part}").options) for part in ("groups", "labels")}
    assert offered == {"groups": groups, "labels": list(NAMES.values())}
