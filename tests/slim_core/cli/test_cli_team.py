"""slim answers and slim members, as people type them."""

from __future__ import annotations

import pandas as pd
import pytest

from slim_core.data.importing import import_data
from slim_core.store import AnswerIn, Campaign, Store
from tests.slim_core.cli.commands import said, slim


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """A terminal in which no line breaks."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def campaign(store: Store, small_demo) -> Campaign:
    """Asks about six images of the small demo set."""
    dataset = store.datasets.register(import_data(small_demo), by="tests")
    return store.campaigns.create("six", dataset.id, None, range(6))


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_answers_are_exported_by_the_ending_of_the_file(store: Store, campaign: Campaign, tmp_path, capsys, form):
    item = store.campaigns.items(campaign.id)[0]
    store.answers.save(campaign.id, "ann", [AnswerIn("a", item.id, 1, {"run": "r-1"}, 900)])
    path = tmp_path / f"answers.{form}"
    assert slim("answers", "export", path) == 0
    assert f"answers of {campaign.id} written to" in said(capsys)
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": lambda file: pd.read_json(file, lines=True)}
    frame = read[form](path)
    assert list(frame["annotator"]) == ["ann"] and list(frame["answer"]) == ["right"] and frame["row"][0] == item.row
    assert [one.name for one in tmp_path.glob("*answers*")] == [path.name]  # no draft is left


def test_an_ending_nobody_knows_and_a_folder_that_is_none_are_refused(campaign: Campaign, tmp_path, capsys):
    assert slim("answers", "export", tmp_path / "answers.xlsx") == 2
    assert "no format 'xlsx': choose csv, jsonl, parquet" in said(capsys)
    assert slim("answers", "export", tmp_path / "none" / "answers.csv") == 2
    assert "you may write" in said(capsys)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_the_current_answers_are_exported_and_imported_once(store: Store, campaign: Campaign, tmp_path, capsys, form):
    ids = [item.id for item in store.campaigns.items(campaign.id)]
    given = [AnswerIn(f"a-{k}", each, k % 2) for k, each in enumerate(ids)]
    store.answers.save(campaign.id, "ann", given)
    path = tmp_path / f"answers.{form}"
    assert slim("answers", "export", path, "--current", "--campaign", campaign.id) == 0
    other = store.campaigns.create("other", campaign.dataset_id, None, range(6))
    assert slim("answers", "import", path, "--campaign", other.id) == 0
    assert "6 new, 0 were already stored" in said(capsys)
    assert slim("answers", "import", path, "--campaign", other.id) == 0
    assert "0 new, 6 were already stored" in said(capsys)
    assert store.answers.current(other.id, "ann") == store.answers.current(campaign.id)


def test_an_import_that_does_not_fit_says_so_and_can_take_the_rest(store: Store, campaign: Campaign, tmp_path, capsys):
    path = tmp_path / "answers.csv"
    path.write_text("row,answer\n0,1\n1,hm\n339,0\n")
    assert slim("answers", "import", path) == 2
    told = said(capsys)
    assert "line 3: 'hm'" in told and "line 4: '339'" in told and "--leave-out-unfit" in told
    assert store.answers.current(campaign.id) == {}
    assert slim("answers", "import", path, "--leave-out-unfit", "--annotator", "ann") == 0
    assert "1 new" in said(capsys) and store.answers.current(campaign.id, "ann") == {0: 1}


def test_members_are_listed_set_and_removed(store: Store, capsys):
    assert slim("members") == 0
    assert "members set EMAIL" in said(capsys)
    assert slim("members", "set", "Ann@example.org", "admin") == 0
    assert slim("members", "set", "ben@example.org", "annotator") == 0
    said(capsys)
    assert slim("members", "list") == 0
    listed = said(capsys)
    assert "ann@example.org" in listed and "annotator" in listed
    assert slim("members", "remove", "ben@example.org") == 0
    assert [one.email for one in store.members.all()] == ["ann@example.org"]


def test_who_removes_a_stranger_is_told_who_there_is(store: Store, capsys):
    for n in range(7):
        store.members.set_role(f"ann-{n}@example.org", "admin")
    assert slim("members", "remove", "eve@example.org") == 2
    told = " ".join(said(capsys).split())
    assert "of ann-0@example.org, ann-1@example.org" in told
    assert "ann-4@example.org and 2 more (slim members)." in told and "ann-5@" not in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("set", "ann@example.org", "boss"), "no role 'boss': choose one of viewer, annotator, lead, admin"),
        (("set", "ann", "lead"), "'ann' is not an"),
        (("remove", "eve@example.org"), "eve@example.org is not a"),
    ],
)
def test_a_member_that_cannot_be_is_refused(store: Store, capsys, arguments, sentence):
    assert slim("members", *arguments) == 2
    assert sentence in said(capsys) and store.members.all() == []
