"""The home that pages are measured on holds what the real steps would leave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic import Synthetic, make_home
from slim_core.settings import Settings
from slim_core.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    return make_home(tmp_path_factory.mktemp("synthetic") / "home", 400)


def test_every_run_is_done_and_the_arrays_are_of_one_length(home: Synthetic) -> None:
    store = Store.open(Settings(home=Path(home.home)))
    try:
        assert {run.status for run in store.runs.all()} == {"done"}
        assert sorted({run.kind for run in store.runs.all()}) == ["curate", "evaluate", "gradcam", "space", "train"]
        table, folder = store.datasets.table(home.dataset), store.artifacts.folder(home.space)
        lengths = {len(np.load(folder / f"{name}.npy")) for name in ("rows", "attention_space", "clusters")}
        assert lengths == {home.n} == {len(table.rows("train"))}
        assert store.campaigns.progress(home.campaign)["answered"] > 0
        assert all(table.image_path(row).is_file() for row in table.rows("val")[:5])
    finally:
        store.close()


def test_a_home_that_is_there_is_used_again_and_another_one_is_not_written_over(home: Synthetic) -> None:
    assert make_home(Path(home.home), 400) == home
    with pytest.raises(SystemExit, match="holds something else"):
        make_home(Path(home.home), 500)
