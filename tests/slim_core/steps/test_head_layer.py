"""Environments that answers find need the whole image in the layer of the map: refused before a run is queued."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from slim_core import api, result_files
from slim_core.errors import SpecRefusedError
from slim_core.result_files import NetworkFacts
from slim_core.runs.executor import InProcess, Workbench
from slim_core.settings import Settings
from slim_core.steps.specs import CurateSpec, GradcamSpec, SpaceSpec, Spec, TrainSpec
from slim_core.store import Run, Store

MEAN = NetworkFacts("layer4", (8, 4, 4), "fc", "forward", "", ("layer3", "layer4"))
OTHER = replace(MEAN, path="gradient")
NO_HEAD = replace(OTHER, head=None)


def finished(store: Store, spec: Spec, facts: NetworkFacts | None = None) -> Run:
    run, _ = store.runs.submit(spec)
    token = store.attempts.claim(run.id, "w", "cpu")
    folder = store.artifacts.attempt(run.id, 1)
    if facts is not None:
        (folder / result_files.MODEL).write_text(json.dumps({"network": facts.to_json()}))
    store.artifacts.publish(run.id, 1)
    store.attempts.finish(run.id, token, {})
    return store.runs.fetch(run.id)


@pytest.mark.parametrize(
    ("facts", "layer", "is_refused"),
    [
        (MEAN, None, False),
        (MEAN, "layer4", False),
        (MEAN, "layer3", True),
        (OTHER, None, True),
        (NO_HEAD, None, False),
    ],
)
def test_where_the_head_sees_another_layer_than_the_map(
    facts: NetworkFacts, layer: str | None, is_refused: bool, new_home: Path, small_demo: Path
) -> None:
    store = Store.open(Settings(home=new_home, data_roots=(small_demo,)))
    at = Workbench(store, InProcess(store, device="cpu"))
    dataset = api.data_set(small_demo, at=at).id
    model = finished(store, TrainSpec(dataset=dataset, model="densenet121"), facts)
    seen = finished(store, GradcamSpec(dataset=dataset, model=model.id, target_layer=layer))
    space = finished(store, SpaceSpec(dataset=dataset, attention=seen.id))

    def curated(found_by: str) -> Run:
        options = {"environments": found_by}
        return at.submitter.submit(CurateSpec(dataset=dataset, space=space.id, size=8, options=options))

    if is_refused:
        with pytest.raises(SpecRefusedError, match="The head of densenet121 does not see"):
            curated("answers")
        assert not store.runs.all(kind="curate")
    else:
        assert curated("answers").status == "queued"
    assert curated("both").status == curated("space").status == "queued"
    store.close()
