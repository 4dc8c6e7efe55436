"""What holds for every page: an error that a user can mend is a sentence, wherever it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.navigation import FOR_ADMINS, PAGES
from tests.app.conftest import Show

NAMES = [name for entries in PAGES.values() for name, _ in entries]


@pytest.mark.parametrize("name", NAMES)
def test_every_page_opens_on_images_that_were_moved_away_says_so_and_still_names_a_next_step(
    show: Show, moved_images: Path, name: str
) -> None:
    app = show(name)
    told = [one.value for one in app.error]
    missed = any(f"no longer in {moved_images}: move them back" in sentence for sentence in told)
    assert missed or name in ("compare", "jobs", "activity"), told  # which need no image
    assert any("**Next:**" in text.value for text in app.markdown) or name in FOR_ADMINS
