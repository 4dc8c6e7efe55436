"""What holds for every page: an error that a user can mend is a sentence, wherever it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.navigation import PAGES
from tests.app.conftest import Show

NAMES = [name for entries in PAGES.values() for name, _ in entries]


@pytest.fixture
def moved_images(loop_home: Path, filled_home: Path) -> Iterator[Path]:  # the pages read it
    """The folder of the images was moved away after a loop over them; nothing of them is in memory."""
    folder = loop_home / "demo-data"
    folder.rename(loop_home / "elsewhere")
    yield folder
    (loop_home / "elsewhere").rename(folder)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "jobs"])
def test_every_page_opens_on_images_that_were_moved_away_and_says_what_to_do(
    show: Show, moved_images: Path, name: str
) -> None:
    app = show(name)
    told = [one.value for one in app.error]
    assert any(f"no longer in {moved_images}: move them back" in sentence for sentence in told), told
