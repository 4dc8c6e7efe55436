"""The subset a page previews is the one the job chooses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app import session
from app.services import subset
from app.services.results import space_data
from app.services.subset import SubsetChoice
from slim_core.errors import AnswersRefusedError


@pytest.mark.usefixtures("filled_home")
def test_the_preview_equals_the_finished_job_of_the_same_spec() -> None:
    store = session.store()
    (run,) = store.runs.all(kind="curate")
    campaign = store.campaigns.all()[0].id
    options = tuple(run.spec["options"].items())
    choice = SubsetChoice(
        run.spec["space"], campaign, run.spec["strategy"], run.spec["size"], run.spec["seed"], options
    )
    chosen = subset.preview(choice)
    kept = pd.read_parquet(store.artifacts.folder(run.id) / "subset.parquet").sort_values("row")
    rows = space_data.load(choice.space).rows[chosen.positions]
    assert np.sort(rows).tolist() == kept["row"].tolist()
    assert chosen.counts[np.argsort(rows)].tolist() == kept["count"].tolist()
    wanted = {key: run.spec[key] for key in ("space", "campaign", "strategy", "size", "seed", "options")}
    assert {key: choice.spec(run.dataset_id)[key] for key in wanted} == wanted


@pytest.mark.usefixtures("filled_home")
def test_a_strategy_that_cannot_do_without_answers_is_refused_without_any() -> None:
    space = session.store().runs.all(kind="space")[0]
    with pytest.raises(AnswersRefusedError):
        subset.preview(SubsetChoice(space.id, None, "slim-reference", 40, 0))
    assert subset.preview(SubsetChoice(space.id, None, "slim", 40, 0)).report["images"] == 40


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(("environments", "n_asked"), [("both", 0), ("space", 1)])
def test_scores_that_a_preview_does_not_use_are_not_computed(
    environments: str, n_asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, asked = session.store().campaigns.all()[0], []
    monkeypatch.setattr(space_data, "propagated", lambda data, _campaign: asked.append(1) or np.zeros(len(data)))
    options = (("environments", environments),)
    shown = subset.preview(SubsetChoice(str(campaign.space_run_id), campaign.id, "slim", 41, 0, options))
    assert len(asked) == n_asked and not np.isnan(shown.scores).any()
