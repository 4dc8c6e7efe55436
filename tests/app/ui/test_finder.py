"""What the model looks at, on Overview and on Attention."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import session
from slim_core.curation import finder
from slim_core.curation.finder import LOOKS, PLACES, Crop, Finding
from slim_core.formatting import of_n
from slim_core.result_files import FINDINGS
from tests.app.conftest import texts

pytestmark = pytest.mark.usefixtures("filled_home")

SPOT = Finding(
    label=1,
    share=0.9,
    right_with=90,
    n_with=100,
    right_without=5,
    n_without=10,
    off_object=1.0,
    place=PLACES[0],
    is_suspicious=True,
    crops=tuple(Crop(row, 0.0, 0.0, 0.3) for row in range(8)),
    look=LOOKS[0],
    is_small=True,
    n_words=7,
)


def leave(*found: Finding) -> str:
    """Of the attention pass of the loop; returns its id."""
    store = session.store()
    (run,) = store.runs.all(kind="gradcam")[:1]
    finder.save(found, store.artifacts.folder(run.id))
    return run.id


def body(app) -> str:
    return "".join(str(html.proto.body) for html in app.get("html"))


def test_overview_shows_what_is_suspicious_with_its_crops_once_a_class(show) -> None:
    run = leave(SPOT, replace(SPOT, share=0.1), replace(SPOT, label=0, is_suspicious=False))
    app = show("overview")
    assert texts(app).count(SPOT.what()) == 1
    assert body(app).count("--side: 0.3") == len(SPOT.crops)
    assert f"run={run}" in body(app)
    assert all(number in texts(app) for number in (of_n(100), f"{of_n(10)})"))


def test_overview_says_nothing_where_nothing_is_suspicious_or_the_pass_is_older(show) -> None:
    run = leave(replace(SPOT, is_suspicious=False))
    assert "slim-crops" not in body(show("overview"))
    (session.store().artifacts.folder(run) / FINDINGS).unlink()
    assert "slim-crops" not in body(show("overview"))


def test_attention_shows_the_clusters_of_every_class(show) -> None:
    leave(SPOT, replace(SPOT, label=0, is_suspicious=False))
    app = show("attention", **{"attention-tab": "Clusters"})
    assert body(app).count("--side: 0.3") == 2 * len(SPOT.crops)
