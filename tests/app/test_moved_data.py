"""Every page after the folder of the images has moved away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import session


@pytest.fixture
def moved(filled_home) -> Iterator[None]:  # its images lie in the home it was copied from
    (dataset,) = session.store().datasets.all()
    folder = session.store().datasets.table(dataset.id).root
    away = folder.rename(folder.with_name("away"))
    yield
    away.rename(folder)


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize(
    "page", ["overview", "data", "train", "attention", "space", "annotate", "curate", "compare", "jobs"]
)
def test_each_page_says_where_the_images_are_missed_and_still_names_a_next_step(show, page: str) -> None:
    app = show(page)
    told = [error.value for error in app.error]
    assert page == "jobs" or any("are no longer in" in error for error in told), told
    assert any("**Next:**" in text.value for text in app.markdown)
