"""slim export, as people type it."""

from __future__ import annotations

import pandas as pd
import pytest

from slim_core.export.writing import FORMS
from slim_core.settings import settings
from tests.slim_core.cli.commands import said, slim


@pytest.fixture
def home(looped, monkeypatch):
    """The home of a small loop, which commands find as they would."""
    monkeypatch.setenv("SLIM_HOME", str(looped.at.store.settings.home))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_the_help_lists_every_form_with_what_it_is_of(capsys):
    assert slim("export", "--help") == 0
    text = said(capsys)
    for form in FORMS.values():
        assert f"{form.name}, of {' or '.join(form.of)}: {form.title}" in text


def test_the_newest_run_that_has_the_form_is_exported(looped, home, tmp_path, capsys):
    assert slim("export", "latest", "subset-csv", tmp_path / "subset") == 0
    newest = looped.at.store.runs.all(kind="curate", status="done")[0]
    assert f"subset-csv of {newest.id} written to {tmp_path / 'subset'} opens in: a spreadsheet" in said(capsys)
    assert len(pd.read_csv(tmp_path / "subset" / "subset.csv")) == newest.metrics["images_unique"]
    assert slim("export", "latest", "answers-csv", tmp_path / "answers") == 0
    assert looped.at.store.campaigns.all()[0].id in said(capsys)


def test_a_folder_that_is_taken_and_a_form_that_is_unknown_end_with_2_and_a_sentence(looped, home, tmp_path, capsys):
    (tmp_path / "mine").write_text("x")
    assert slim("export", "latest", "subset-csv", tmp_path) == 2
    assert "holds 'mine', which no export" in said(capsys)
    assert slim("export", "latest", "subset-xlsx", tmp_path / "new") == 2
    assert "is no form 'subset-xlsx'" in said(capsys)
