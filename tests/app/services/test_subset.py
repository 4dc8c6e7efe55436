"""The subset a page previews is the one the job chooses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app import session
from app.services import space_data, subset
from app.services.subset import Choice
from slim_core.errors import AnswersRefusedError


@pytest.mark.usefixtures("filled_home")
def test_the_preview_equals_the_finished_job_of_the_same_spec() -> None:
    store = session.store()
    (run,) = store.runs.all(kind="curate")
    campaign = store.campaigns.all()[0].id
    options = tuple(run.spec["options"].items())
    choice = Choice(run.spec["space"], campaign, run.spec["strategy"], run.spec["size"], run.spec["seed"], options)
    chosen = subset.preview(choice)
    kept = pd.read_parquet(store.artifacts.folder(run.id) / "subset.parquet").sort_values("row")
    rows = space_data.load(choice.space).rows[chosen.positions]
    assert np.sort(rows).tolist() == kept["row"].tolist()
    assert chosen.counts[np.argsort(rows)].tolist() == kept["count"].tolist()
    wanted = {key: run.spec[key] for key in ("space", "campaign", "strategy", "size", "seed", "options")}
    assert {key: choice.spec(run.dataset_id)[key] for key in wanted} == wanted


@pytest.mark.usefixtures("filled_home")
def test_a_strategy_that_reads_answers_is_refused_without_any() -> None:
    space = session.store().runs.all(kind="space")[0]
    with pytest.raises(AnswersRefusedError):
        subset.preview(Choice(space.id, None, "slim", 40, 0))
