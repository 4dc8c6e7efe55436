"""What an address asks for, and what is said where it is not there."""

from __future__ import annotations

import pytest

from app import session


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(
    ("page", "params"),
    [
        ("train", {"dataset": "d-nothing"}),
        ("train", {"run": "r-nothing"}),
        ("annotate", {"campaign": "c-nothing"}),
        ("curate", {"space": "r-nothing"}),
    ],
)
def test_a_link_to_what_is_not_there_is_told_and_never_silently_another(show, page, params) -> None:
    (asked,) = params.values()
    app = show(page, **params)
    assert [asked in one.value for one in app.toast] == [True]


@pytest.mark.usefixtures("filled_home")
def test_a_link_to_what_is_there_needs_no_word(show) -> None:
    (run, *_) = session.store().runs.all(kind="train")
    assert not show("train", dataset=run.dataset_id, run=run.id).toast
    assert not show("train").toast
