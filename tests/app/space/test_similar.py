"""More like this: the nearest images in their order, by a link, and what can be done with them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from app import session
from app.services.results import space_data
from app.space.view import _nearest_to, kept
from app.ui import selection
from slim_core import result_files
from slim_core.store.results import AttentionResult


@pytest.fixture
def data(filled_home):
    _nearest_to.cache_clear()
    return space_data.load(session.store().runs.all(kind="space")[0].id)


def ranked(app) -> list[int]:
    """The rows of the tiles, in their order."""
    grids = [json.loads(one.proto.json).get("html", "") for one in app.get("bidi_component")]
    (grid,) = [each for each in grids if "this image" in each]
    return [int(row) for row in re.findall(r'data-row="(\d+)"', grid)]


def by_looking_at_all(data, row: int, features: str) -> list[int]:
    found = AttentionResult(session.store().artifacts.folder(data.attention))
    at = [int(np.flatnonzero(found.rows == one)[0]) for one in data.rows]
    wide = found.features(features)[at]
    distances = np.linalg.norm(wide - wide[np.flatnonzero(data.rows == row)[0]], axis=1)
    return [int(one) for one in data.rows[np.argsort(distances, kind="stable")]]


def test_a_link_shows_the_nearest_to_images_in_their_order_by_each_of_the_features(show, data) -> None:
    row = int(data.rows[11])
    for features in ("attention", "environment", "pooled"):
        app = show("space", like=str(row), features=features)
        assert ranked(app)[0] == row
        assert ranked(app)[1:] == [one for one in by_looking_at_all(data, row, features) if one != row][:24]
    app.segmented_control(key="nearest").set_value(48).run()
    assert len(ranked(app)) == 49


def test_they_become_the_selection_and_the_link_can_be_closed(show, data) -> None:
    app = show("space", like=str(data.rows[11]))
    rows = ranked(app)
    app.button(key="similar-select").click().run()
    assert not app.exception
    assert sorted(app.session_state[selection.rows_key(data.run)].tolist()) == sorted(rows)
    assert any(title.value == "25 selected images" for title in app.subheader)
    app.button(key="similar-close").click().run()
    assert "like" not in app.query_params and len(app.get("bidi_component")) > 0


def test_an_image_that_is_not_there_and_features_that_were_removed_are_said(show, data) -> None:
    for named in ("99999", "no number", "-1"):
        app = show("space", like=named)
        assert any("in this space" in info.value for info in app.info), named
    folder = session.store().artifacts.folder(data.attention)
    (folder / result_files.FEATURES["attention"]).unlink()
    assert kept(data) == ["environment", "pooled"], "what is left is proposed"
    for file in result_files.FEATURES.values():
        (folder / file).unlink(missing_ok=True)
    app = show("space", like=str(data.rows[11]))
    assert any(f"the features of {data.attention} were removed" in info.value for info in app.info)


def test_an_opened_image_leads_to_those_like_it(show, data) -> None:
    row = str(data.rows[11])
    opened = show("space", image=row)
    opened.button(key="more-like-this").click().run()
    assert opened.query_params["like"] == row and "image" not in opened.query_params
    links = [link.proto.query_string for link in show("attention", image=row).get("page_link")]
    assert any(f"run={data.run}" in link and f"like={row}" in link for link in links)
    outside = next(one for one, split in enumerate(data.table.splits) if split == "test")
    links = [link.proto.query_string for link in show("attention", image=str(outside)).get("page_link")]
    assert not any("like=" in link for link in links), "no space holds it"
