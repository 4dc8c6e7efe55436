"""slim study of one that was computed: its tables in the terminal, and in each file that was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slim_core.runs.study.spec import Study
from slim_core.store import Store
from tests.slim_core.cli.commands import said, slim

STUDY = Study(name="choose", sets=["digits"], methods=["erm", "slim"], seeds=[0], answers=0.03)


def test_a_study_that_was_computed_is_written_into_every_file_asked_for(store: Store, tmp_path: Path, capsys):
    kept = store.studies.start(STUDY.name, STUDY.digest, STUDY.model_dump(mode="json"), 2)
    for method, wga in (("erm", 0.6), ("slim", 0.8)):
        entry = {"set": "digits", "seed": 0, "method": method, "annotator": "", "answers": 0.0, "label": method}
        entry |= {"labels_used": "none", "zero_of": [], "status": "done", "wga": wga, "average": 0.9, "seconds": 40.0}
        store.studies.record(kept.id, f"digits 0 {method} 0.0", {**entry, "attention_precision": 0.3, "n_answers": 0})
    files = {form: tmp_path / f"choose.{form}" for form in ("csv", "latex", "markdown", "html", "json")}
    options = [word for form, file in files.items() for word in (f"--{form}", file)]
    assert slim("study", kept.id, *options) == 0
    told = said(capsys)
    assert "digits" in told and "60.0" in told and told.count("written to") == len(files)
    assert "method" in files["csv"].read_text().splitlines()[0] and "\\begin{tabular}" in files["latex"].read_text()
    assert files["markdown"].read_text().count("|") > 10 and "<html" in files["html"].read_text()
    assert isinstance(json.loads(files["json"].read_text()), dict)
    assert slim("study", kept.id) == 0
    assert "written to" not in said(capsys)
    assert slim("study", kept.id, "--jobs", 2, "--queue") == 2
    assert "only shown: leave --jobs, --queue out" in said(capsys)


def test_a_study_in_which_a_case_failed_shows_the_others_and_ends_with_2(
    store: Store, tmp_path: Path, monkeypatch, capsys
):
    from slim_core.cli.loops import study

    kept = store.studies.start(STUDY.name, STUDY.digest, STUDY.model_dump(mode="json"), 2)
    entry = {"set": "digits", "seed": 0, "annotator": "", "answers": 0.0, "labels_used": "none", "zero_of": []}
    done = entry | {"method": "erm", "label": "erm", "status": "done", "wga": 0.6, "average": 0.9, "seconds": 40.0}
    failed = entry | {"method": "slim", "label": "slim", "status": "failed", "message": "No image is left."}
    for one in (done, failed):
        store.studies.record(kept.id, f"digits 0 {one['method']} 0.0", {**one, "n_answers": 0})
    (file := tmp_path / "choose.yaml").touch()
    monkeypatch.setattr(study, "_computed", lambda *_: (store, store.studies.fetch(kept.id)))
    assert slim("study", file) == 2
    told = said(capsys)
    assert "60.0" in told and "No image is left." in told
    assert slim("study", kept.id) == 0, "it is only shown"


@pytest.mark.parametrize("queued", [True, False])
def test_ctrl_c_says_what_becomes_of_the_runs_of_a_study(queued, store: Store, tmp_path: Path, monkeypatch, capsys):
    from slim_core.runs import executor
    from slim_core.runs.study import run

    def press(*_arguments: object, **_options: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_study", press)
    monkeypatch.setattr(executor, "queue_submitter", lambda store, **_options: executor.InProcess(store))
    (file := tmp_path / "choose.yaml").write_text(json.dumps(STUDY.every_field()))
    assert slim("study", file, "--device", "cpu", *["--queue"][: int(queued)]) == 130, "as after any Ctrl-C"
    told = said(capsys)
    assert "the same command resumes the study." in told.lower()
    assert ("`slim stop RUN` ends one" in told) == queued
