"""The command line, as people type it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slim_core import removed
from slim_core.cli.wiring import _warn_on_stderr, app
from slim_core.errors import DataRefusedError
from slim_core.runs.executor import InProcess
from slim_core.runs.methods import Loop
from slim_core.settings import settings
from slim_core.store import AnswerIn, CampaignSettings, Store
from tests.hub import hub
from tests.placed_quickly import placed_quickly
from tests.refusals import missing
from tests.slim_core.cli.commands import slim

COMMANDS = (
    "demo studio import datasets train gradcam space candidates answer answers shapes curate evaluate compare run "
    "export report submit runs stop retry delete queue members backup"
).split()


@pytest.fixture
def home(new_home, monkeypatch):
    """A SLIM_HOME of the test's own, which commands find as they would."""
    monkeypatch.setenv("SLIM_HOME", str(new_home))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield new_home
    settings.cache_clear()


@pytest.fixture
def waterbirds_folder(tmp_path):
    """Waterbirds' real shape with small images: 0/1/2 splits, places, masks of CUB's layout."""
    rng = np.random.default_rng(0)
    folder, lines = tmp_path / "waterbirds-folder", []
    for split, n in enumerate((48, 16, 16)):
        for number in range(n):
            y, place = number % 2, (number // 2) % 2 if split else (number % 2 if number % 8 else 1 - number % 2)
            name = f"{y:03d}.Bird/Bird_{split}_{number}.jpg"
            pixels = rng.integers(0, 120, (40, 50, 3), np.uint8)
            pixels[..., 2 if place else 1] += 100
            pixels[10:30, 15:35] = 250 if y else 10
            mask = np.zeros((40, 50), np.uint8)
            mask[10:30, 15:35] = 255
            for parent, array, suffix in ((folder, pixels, ".jpg"), (folder / "segmentations", mask, ".png")):
                path = (parent / name).with_suffix(suffix)
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
            lines.append([len(lines), name, y, split, place, f"/{place}/x.jpg"])
    columns = ["img_id", "img_filename", "y", "split", "place", "place_filename"]
    pd.DataFrame(lines, columns=columns).to_csv(folder / "metadata.csv", index=False)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_shows_an_example_that_names_real_options(command, capsys):
    assert slim(command, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    example = text.partition("Example: slim ")[2]
    assert example.startswith(command)
    for word in example.split():
        if word.startswith("--"):
            assert text.partition("Example:")[0].count(word.strip(",")) >= 1


@pytest.mark.parametrize("command", ["run", "evaluate", "candidates"])
def test_what_an_option_means_is_no_sentence_without_a_beginning(command, capsys):
    assert slim(command, "--help") == 0
    text = capsys.readouterr().out
    assert "--seed" in text
    assert not re.findall(r"(?m)^│.*  Of .*$", text)


@pytest.mark.parametrize("command", removed.COMMANDS)
def test_a_command_that_was_removed_says_what_serves_instead(command, capsys):
    assert slim(command, "x", "--y") == 2
    assert removed.COMMANDS[command].split()[0] in capsys.readouterr().err
    assert command not in COMMANDS


@pytest.mark.parametrize(("words", "served"), [
    (["train", "--accumulation", "2"], removed.TRAINING["accumulation"]),
    (["train", "--no-deterministic"], removed.TRAINING["deterministic"]),
    (["submit", "--spec", '{"kind": "train", "dataset": "d", "selection": "wrong_attention"}'], "worst_class"),
    (["curate", "--strategy", "subg"], "oracle"),
])  # fmt: skip
def test_an_option_or_a_value_that_was_removed_says_what_serves_instead(words, served, capsys):
    assert slim(*words) == 2
    said = capsys.readouterr().err
    assert not missing(said, served) and "choose" not in said and "Usage" not in said


def test_every_command_is_in_the_list():
    assert sorted(command.name for command in app.registered_commands) == sorted(COMMANDS)


@pytest.mark.slow
def test_the_seed_steps_work_on_a_folder_of_waterbirds_shape(waterbirds_folder, home, capsys):
    train = ("train", "--data", waterbirds_folder, "--model", "small-resnet", "--epochs", 1, "--batch-size", 16)
    assert slim(*train) == 0
    assert "next: slim gradcam" in capsys.readouterr().out
    for command, expected in (
        (("gradcam",), "attention precision"),
        (("space", "--n-clusters", 2, "--split", "test"), "--split test --space r-"),
        (("space", "--n-clusters", 2), "slim candidates"),
        (("candidates", "--share", 0.1), "slim answer"),
        (("answer", "--from-masks"), "answered (8.3 % of train)"),
        (("curate", "--strategy", "random", "--size", 16), "images 16"),
        (("train", "--subset", "latest", "--epochs", 1), "slim evaluate"),
        (("evaluate",), "landbird, water"),
        (("compare",), "random, from reference"),
    ):
        assert slim(*command) == 0, command
        assert expected in " ".join(capsys.readouterr().out.split()), command
    store = Store.open(settings())
    assert store.datasets.all()[0].format == "waterbirds"
    assert {run.kind for run in store.runs.all(status="done")} == {
        "train",
        "gradcam",
        "space",
        "curate",
        "evaluate",
    }
    store.close()


@pytest.mark.slow
def test_the_whole_loop_writes_one_json_object(demo_folder, home, tmp_path, capsys):
    out = tmp_path / "result.json"
    with placed_quickly():
        done = slim(
            *("run", "--data", demo_folder, "--seeds", "0,1", "--epochs", 5, "--size", 40, "--answers", 0.3),
            *("--methods", "erm,slim,random", "--retrain", "scratch", "--json", out),
        )
    assert done == 0, capsys.readouterr().err
    result = json.loads(out.read_text())
    assert result["data"] == str(demo_folder)
    assert list(result["methods"]) == ["erm", "slim", "random"]
    for entries in result["methods"].values():
        assert [entry["seed"] for entry in entries] == [0, 1]
    slim_entry = result["methods"]["slim"][0]
    assert slim_entry["images"] == 40 and 0 < slim_entry["answers_share"] <= 0.3
    assert {"group", "name", "n", "accuracy", "low", "high"} <= set(slim_entry["groups"][0])


def test_an_import_that_is_refused_reports_why_and_exits_with_2(tmp_path, home, capsys):
    folder = tmp_path / "empty"
    folder.mkdir()
    report = tmp_path / "report.json"
    assert slim("import", folder, "--json", report) == 2
    assert "empty: put images" in capsys.readouterr().out
    assert json.loads(report.read_text())["ok"] is False
    assert Store.open(settings()).datasets.all() == []


def test_an_import_only_checks_and_says_how_to_register(demo_folder, home, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert slim("import", demo_folder, "--name", "my [digits]", "-o", "seed=3", "--json", report) == 0
    out = capsys.readouterr().out
    command = f"slim import {demo_folder} --name 'my [digits]' -o seed=3 --register"
    assert "0, flower" in out and f"next: {command}" in out
    assert json.loads(report.read_text())["n_images"] == 340
    assert Store.open(settings()).datasets.all() == []


def test_an_import_of_images_inside_parquet_names_the_command_that_unpacks_them(tmp_path, home, capsys):
    pets = hub(tmp_path / "pets")
    assert slim("import", pets) == 2
    command = f"slim import {pets} -o unpack=yes"
    assert command in " ".join(capsys.readouterr().out.split()) and not list(home.rglob("*.jpg"))
    assert slim(*command.split()[1:], "--register") == 0
    (dataset,) = Store.open().datasets.all()
    assert dataset.n_images == len(list(home.rglob("*.jpg"))) == 32


def test_an_import_without_any_of_its_images_offers_to_leave_none_out(waterbirds_folder, home, capsys):
    for name in pd.read_csv(waterbirds_folder / "metadata.csv")["img_filename"]:
        (waterbirds_folder / name).unlink()
    assert slim("import", waterbirds_folder) == 2
    out = capsys.readouterr().out
    assert "80 of 80 images are missing" in out and "--leave-out" not in out


def test_an_import_with_broken_files_names_the_command_that_leaves_them_out(waterbirds_folder, home, capsys):
    names = pd.read_csv(waterbirds_folder / "metadata.csv")["img_filename"]
    (waterbirds_folder / names[3]).unlink()
    (waterbirds_folder / names[7]).write_bytes(b"<html>moved</html>")
    assert slim("import", waterbirds_folder) == 2
    out = capsys.readouterr().out
    command = f"slim import {waterbirds_folder} --leave-out missing,broken"
    assert command in out and "(line 5)" in out and "(line 9)" in out
    assert slim("import", waterbirds_folder, "--leave-out", "missing,broken") == 0
    assert f"next: {command} --register" in capsys.readouterr().out
    assert slim("import", waterbirds_folder, "--leave-out", "missing,broken", "--register") == 0
    (dataset,) = Store.open(settings()).datasets.all()
    assert dataset.n_images == 78
    assert [(one["cause"], one["lines"]) for one in dataset.report["left_out"]] == [("missing", [5]), ("broken", [9])]


def test_a_changed_folder_is_noticed_and_its_versions_are_compared(waterbirds_folder, home, tmp_path, capsys):
    assert slim("import", waterbirds_folder, "--register") == 0
    assert slim("import", waterbirds_folder) == 0
    again = capsys.readouterr().out
    assert "; unchanged since." in again and "nothing was registered" in again and "registered yet" not in again


def test_an_import_registers_the_folder_where_it_is_told_to(demo_folder, home, capsys):
    assert slim("import", demo_folder, "--name", "my [digits]", "--register") == 0
    assert Store.open(settings()).events.recent(1)[0].who == "command line", "as of every other command"
    out = capsys.readouterr().out
    assert "0, flower" in out and "slim train --data 'my [digits]'" in out
    assert slim("datasets") == 0
    assert "my [digits]" in capsys.readouterr().out


def test_why_a_step_failed_is_left_to_the_command_and_what_it_waited_for_is_a_warning(monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    _warn_on_stderr()
    of_attempts = logging.getLogger("slim_core.runs.execute")
    of_attempts.error("Too large: take less.")
    try:
        raise ValueError("unforeseen")
    except ValueError:
        of_attempts.exception("the step failed")
    of_attempts.warning("Run r-1 waits.")
    assert capsys.readouterr().err == "WARNING Run r-1 waits.\n"


def test_what_a_command_submits_and_registers_on_its_way_is_logged_as_of_every_other_command(
    demo_folder, home, monkeypatch
):
    monkeypatch.setattr(InProcess, "wait", lambda _self, run: run)
    assert slim("train", "--data", demo_folder) == 0
    store = Store.open(settings())
    assert {event.who for event in store.events.recent()} == {"command line"}
    assert store.datasets.all()[0].created_by == store.runs.all()[0].created_by == "command line"


@pytest.fixture
def on_looped(looped, home, monkeypatch):
    """The command line works on the store of the looped fixture."""
    monkeypatch.setenv("SLIM_HOME", str(looped.at.store.settings.home))
    settings.cache_clear()


@pytest.fixture
def asked(looped, on_looped):
    """A fresh campaign there."""
    from slim_core import api

    return api.choose_candidates(
        looped.loop.space.id, share=0.03, seed=11, at=looped.at, name=f"asked at {time.time()}"
    )


def test_answers_can_come_from_a_csv(asked, looped, tmp_path, capsys):
    items = looped.at.store.campaigns.items(asked.id)
    paths = looped.loop.table.frame["path"]
    lines = [f"{paths.iat[item.row]},{'right' if number else 'unsure'}" for number, item in enumerate(items)]
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(["path,answer", *lines]))
    assert slim("answers", "import", path, "--campaign", asked.id) == 0
    assert f"{len(items)} of {len(items)} answered" in capsys.readouterr().out
    assert looped.at.store.answers.current(asked.id) == {item.row: 1 if n else -1 for n, item in enumerate(items)}


def test_answers_of_a_csv_that_do_not_count_are_named(asked, looped, tmp_path, capsys):
    first, second, *_ = looped.at.store.campaigns.items(asked.id)
    others, own = tmp_path / "others.csv", tmp_path / "own.csv"
    others.write_text(f"row,answer\n{first.row},right\n")
    own.write_text(f"row,answer\n{first.row},wrong\n{second.row},wrong\n")
    assert slim("answers", "import", others, "--campaign", asked.id, "--annotator", "ann") == 0
    assert slim("answers", "import", own, "--campaign", asked.id, "--annotator", "ben") == 0
    assert "2 new, 1 of them over" in capsys.readouterr().out
    assert looped.at.store.answers.current(asked.id) == {first.row: 1, second.row: 0}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("row,label\n1,1\n", "it needs row (or path)"),
        ("row,answer\n0,maybe\n", "(line 2: 'maybe')"),
        ("row,answer\n99999,1\n", "demo does not have (line 2: '99999')"),
        ("row,answer\n339,1\n", "about an image"),
        ("path,answer\nx.png,1\n", "(line 2: 'x.png')"),
        ("row,path,answer\n0,x.png,1\n", "(line 2: 'row 0, path x.png')"),
    ],
)
def test_a_csv_that_does_not_fit_changes_nothing(asked, looped, tmp_path, capsys, text, sentence):
    path = tmp_path / "answers.csv"
    path.write_text(text)
    assert slim("answers", "import", path, "--campaign", asked.id) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert looped.at.store.answers.current(asked.id) == {}


def test_answers_can_be_asked_for_in_the_terminal(asked, looped, capsys, monkeypatch):
    words = iter(["1", "0", "q"])
    monkeypatch.setattr("typer.prompt", lambda _question: next(words))
    assert slim("answer", "--campaign", asked.id, "--ask") == 0
    items = looped.at.store.campaigns.items(asked.id)
    assert looped.at.store.answers.current(asked.id) == {items[0].row: 1, items[1].row: 0}
    with Image.open(settings().home / "overlays" / asked.id / f"{items[0].row}.png") as drawn:
        assert drawn.size == (64, 64)


def test_in_the_terminal_a_blind_campaign_names_no_class(asked, looped, capsys, monkeypatch):
    store, rows = looped.at.store, [item.row for item in looped.at.store.campaigns.items(asked.id)]
    blind = CampaignSettings(options={"blind": True})
    hidden = store.campaigns.create("blind", asked.dataset_id, asked.space_run_id, rows, settings=blind)
    monkeypatch.setattr("typer.prompt", lambda _question: "q")
    assert slim("answer", "--campaign", hidden.id, "--ask") == 0
    (first, *_) = store.campaigns.items(hidden.id)
    assert f"1 of {len(rows)}: {first.row}.png\n" in capsys.readouterr().out


def test_after_a_slip_the_terminal_asks_about_the_same_image_again(asked, looped, capsys, monkeypatch):
    words = iter(["x", "", "1", "q"])
    monkeypatch.setattr("typer.prompt", lambda _question: next(words))
    assert slim("answer", "--campaign", asked.id, "--ask") == 0
    items = looped.at.store.campaigns.items(asked.id)
    assert looped.at.store.answers.current(asked.id) == {items[0].row: 1}
    assert "'x' is not one" in capsys.readouterr().err


def test_in_the_terminal_the_answer_before_is_undone_and_asked_for_again(asked, looped, capsys, monkeypatch):
    words = iter(["z", "1", "0", "z", "Z", "u", "q"])
    monkeypatch.setattr("typer.prompt", lambda _question: next(words))
    assert slim("answer", "--campaign", asked.id, "--ask") == 0
    items = looped.at.store.campaigns.items(asked.id)
    assert looped.at.store.answers.current(asked.id) == {items[0].row: -1}
    told = capsys.readouterr()
    assert "nothing to undo." in told.err
    named = [f"{number} of {len(items)}: {items[number - 1].row}.png" for number in (1, 2, 3, 2, 1, 2)]
    assert [line.split(",")[0] for line in told.out.splitlines() if ".png, class" in line] == named
    kept = [entry["value"] for entry in looped.at.store.answers.audit(asked.id)]
    assert kept == [1, 0, None, None, -1]


def test_the_terminal_asks_about_what_needs_one_more_annotator(asked, looped, monkeypatch):
    store = looped.at.store
    rows = [item.row for item in store.campaigns.items(asked.id)][:4]
    pair = store.campaigns.create(
        "two each", asked.dataset_id, asked.space_run_id, rows, settings=CampaignSettings(overlap=2)
    )
    items = store.campaigns.items(pair.id)
    for who, n in (("ann", 3), ("ben", 2)):
        store.answers.save(pair.id, who, [AnswerIn(f"{pair.id}-{who}-{item.id}", item.id, 1) for item in items[:n]])
    words = iter(["0", "q"])
    monkeypatch.setattr("typer.prompt", lambda _question: next(words))
    assert slim("answer", "--campaign", pair.id, "--ask") == 0
    assert store.answers.current(pair.id, "command line") == {items[2].row: 0}, "two have answered the first two"
    assert not store.answers.frame(pair.id)["surplus"].any()


@pytest.mark.slow
@pytest.mark.kills_processes
def test_ctrl_c_hands_the_run_back_to_go_on_later(small_demo, tmp_path):
    environment = {**os.environ, "SLIM_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "slim_core.cli", "train", "--data", str(small_demo), "--epochs", "2000"]
    store = None
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        try:
            store = _store_once_it_trains(tmp_path / "home", child)
            child.send_signal(signal.SIGINT)
            child.wait(60)
        finally:
            child.kill()
    (run,) = store.runs.all()
    assert run.status == "queued" and run.attempt == 1
    assert child.returncode != 0
    store.close()


def _store_once_it_trains(home, child):
    from slim_core.settings import Settings

    until = time.monotonic() + 180
    while time.monotonic() < until and child.poll() is None:
        if (home / "slim.db").exists():
            store = Store.open(Settings(home=home))
            runs = store.runs.all()
            if runs and runs[0].progress.get("done", 0) > 200:
                return store
            store.close()
        time.sleep(0.1)
    pytest.fail(f"it never trained: {child.stdout.read().decode()}")


def test_slim_is_installed_as_a_command():
    from importlib.metadata import entry_points

    try:
        (slim_command,) = entry_points(group="console_scripts", name="slim")
    except ValueError:
        pytest.skip("SLIM Studio is not installed (make install)")
    assert slim_command.value == "slim_core.cli:main"
    assert shutil.which("slim", path=os.path.dirname(sys.executable))


class _Code:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_a_checkpoint_with_code_in_it_is_refused_at_submit_and_does_not_run(
    demo_folder, home, tmp_path, capsys, monkeypatch
):
    import pickle

    monkeypatch.chdir(tmp_path)
    checkpoint = tmp_path / "model.pt"
    checkpoint.write_bytes(pickle.dumps({"state": _Code()}))
    command = ("train", "--data", demo_folder, "--epochs", 1, "--checkpoint", checkpoint)
    assert slim(*command) == 2
    sentence = " ".join(capsys.readouterr().err.split())
    assert "model.pt is a pickle" in sentence and not (tmp_path / "pwned").exists()
    store = Store.open(settings())
    assert store.runs.all() == [] and not list(settings().home.glob("work/r-*"))
    store.close()


def test_a_campaign_is_opened_for_several_people_with_gold_images(asked, looped, capsys):
    assert slim("candidates", "--space", looped.loop.space.id, "--share", 0.1, "--overlap", 3, "--gold", 4) == 0
    campaign = max(looped.at.store.campaigns.all(), key=lambda one: one.created_at)
    items = looped.at.store.campaigns.items(campaign.id)
    printed = " ".join(capsys.readouterr().out.split())
    assert campaign.overlap == 3 and f"campaign {campaign.id}" in printed
    assert f"slim answer --campaign {campaign.id}" in printed
    scores = pd.read_parquet(looped.at.store.artifacts.folder(looped.loop.attention.id) / "scores.parquet")
    precision = scores.set_index("row")["attention_precision"].reindex(campaign.options["gold"])
    assert len(precision) == 4 and set(precision.index) <= {item.row for item in items}
    by_masks = {row: int(value > 0.5) for row, value in precision.dropna().items()}  # NaN: no mask, or no strong spot
    assert {item.row: item.gold for item in items if item.gold is not None} == by_masks


def test_a_campaign_of_several_annotators_says_what_one_of_them_leaves_to_the_others(asked, looped, capsys):
    assert slim("candidates", "--space", looped.loop.space.id, "--share", 0.1, "--overlap", 2) == 0
    campaign = max(looped.at.store.campaigns.all(), key=lambda one: one.created_at)
    n = len(looped.at.store.campaigns.items(campaign.id))
    assert slim("answer", "--campaign", campaign.id, "--from-masks") == 0
    needed = f"Each image needs 2 annotators: {n} images still need another annotator."
    assert needed in " ".join(capsys.readouterr().out.split())


def test_images_that_no_mask_answers_are_counted_beside_the_answers(asked, looped, capsys, monkeypatch):
    from slim_core.annotation import simulated_annotator

    assert slim("candidates", "--space", looped.loop.space.id, "--share", 0.1) == 0
    campaign = max(looped.at.store.campaigns.all(), key=lambda one: one.created_at)
    rows = [item.row for item in looped.at.store.campaigns.items(campaign.id)]
    scores = pd.DataFrame({"attention_precision": 0.9, "empty": False}, index=rows)
    scores.loc[rows[:3], "attention_precision"] = np.nan
    scores.loc[rows[0], "empty"] = True
    monkeypatch.setattr(simulated_annotator, "mask_scores", lambda *_: scores)
    assert slim("answer", "--campaign", campaign.id, "--from-masks") == 0
    assert not missing(capsys.readouterr().out, f"2 of {len(rows)} images", "unsure")


@pytest.mark.slow
def test_gold_images_without_a_mask_are_to_be_set_on_the_page(plain_folder, home, capsys):
    for command in (
        ("train", "--data", plain_folder, "--model", "small-resnet", "--epochs", 1),
        ("gradcam",),
        ("space",),
    ):
        assert slim(*command) == 0, command
    assert slim("candidates", "--share", 0.1, "--gold", 3) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "3 of 3 gold images have" in printed
    assert "--from-masks" not in printed, "there is no mask to answer from"


@pytest.mark.slow
def test_the_images_to_be_answered_in_a_file_keep_a_path_with_a_comma(plain_folder, home, tmp_path):
    metadata = pd.read_csv(plain_folder / "metadata.csv")
    (plain_folder / "images, all").mkdir()
    for image in metadata["path"]:
        shutil.move(plain_folder / image, plain_folder / "images, all")
    metadata["path"] = "images, all/" + metadata["path"].map(lambda path: path.rpartition("/")[2])
    metadata.to_csv(plain_folder / "metadata.csv", index=False)
    for command in (
        ("train", "--data", plain_folder, "--model", "small-resnet", "--epochs", 1),
        ("gradcam", "--splits", "train"),
        ("space",),
    ):
        assert slim(*command) == 0, command
    questions = tmp_path / "questions.csv"
    assert slim("candidates", "--share", 0.1, "--csv", questions) == 0
    asked = pd.read_csv(questions)
    assert asked["path"].str.startswith("images, all/").all() and asked["answer"].isna().all()
    asked.assign(answer=1).to_csv(questions, index=False)
    assert slim("answers", "import", questions) == 0


def test_the_images_to_be_answered_go_to_standard_output_alone(asked, tmp_path, capsys):
    capsys.readouterr()
    assert slim("candidates", "--share", 0.1, "--csv", "-") == 0
    captured = capsys.readouterr()
    questions = pd.read_csv(io.StringIO(captured.out))
    assert list(questions) == ["row", "path", "answer"] and len(questions) > 1
    assert "campaign" in captured.err and not (tmp_path / "-").exists()


def test_questions_that_the_disk_does_not_hold_are_said_by_the_name_of_their_file(asked, tmp_path, capsys):
    (tmp_path / "questions.csv").symlink_to("/dev/full")
    assert slim("candidates", "--share", 0.1, "--csv", tmp_path / "questions.csv") == 2
    assert "questions.csv cannot be written (No space" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (("--overlap", 0), "use 1 to 20."),
        (("--gold", 9999), "9999 gold images were"),
    ],
)
def test_a_campaign_that_cannot_be_opened_is_refused_and_leaves_none(asked, looped, capsys, option, sentence):
    before = len(looped.at.store.campaigns.all())
    assert slim("candidates", "--space", looped.loop.space.id, *option) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert len(looped.at.store.campaigns.all()) == before


@pytest.mark.slow
def test_a_run_that_is_done_is_not_done_again_unless_forced(small_demo, home, capsys):
    command = ("train", "--data", small_demo, "--epochs", 1)
    for arguments, n_runs in ((command, 1), (command, 1), ((*command, "--force"), 2)):
        assert slim(*arguments) == 0
        store = Store.open(settings())
        assert len(store.runs.all()) == n_runs
        store.close()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        *((("candidates", "--share", share), "fraction above 0") for share in (0, 1.5)),
        (("candidates", "--seed", -1), "The seed is -1: give 0 to 4294967295."),
        (("answer", "--from-masks", "--flip", "nan"), "flip nan and unsure 0.0 must be shares"),
        (("answer", "--from-masks", "--threshold", "nan"), "The threshold is nan: give an attention"),
        (("answer", "--from-masks", "--seed", -1), "The seed is -1: give 0 or"),
        (("space", "--attention", "MODEL"), "train, but one of gradcam is needed"),
        (("evaluate", "--space", "MODEL"), "train, but one of space is needed"),
        (("curate", "--size", 0), "A curate step refuses size = 0"),
        (("curate", "--strategy", "foo"), "no strategy 'foo'. Choose one of slim, "),
        (("curate", "-o", "foo=1"), "no option 'foo': choose from environments, keep,"),
        (("curate", "-o", "threshold=abc"), "is 'abc': give a number from 0"),
        (("curate", "-o", "k_max=2.5"), "k_max is 2.5: give at least 1, a whole number."),
        (("curate", "-o", "repeats=3"), "repeats is 3: give true or"),
        (("run", "--data", "DATA", "--size", 0), "the subsets is 0: give 1 or"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_sentence(looped, on_looped, capsys, command, sentence):
    campaign, names = looped.loop.campaign.id, {"MODEL": looped.loop.reference.id, "DATA": looped.dataset.id}
    words = [names.get(word, word) for word in command]
    of_campaign = ("--campaign", campaign) if command[0] in ("answer", "curate") else ()
    given, runs = len(looped.at.store.answers.frame(campaign)), looped.at.store.runs.all()
    assert slim(*words, *of_campaign) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert sentence in said and "Traceback" not in said
    assert len(looped.at.store.answers.frame(campaign)) == given
    assert looped.at.store.runs.all() == runs  # nothing was submitted


@pytest.mark.usefixtures("home")
def test_a_pass_says_how_many_of_its_maps_are_empty(monkeypatch, capsys):
    metrics = {"n": 100, "no_evidence": 9}
    run = SimpleNamespace(kind="gradcam", id="r-1", metrics=metrics, spec={"splits": ["train"]})
    monkeypatch.setattr("slim_core.api.gradcam", lambda *_, **__: run)
    monkeypatch.setattr("slim_core.cli.steps._suspicions", lambda *_: [])
    assert slim("gradcam") == 0
    assert "9 of 100 maps are empty, zero" in capsys.readouterr().out
    metrics["no_evidence"] = 0
    assert slim("gradcam") == 0 and "empty" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gradcam"])
def test_a_pass_without_the_training_images_leads_to_a_space_of_those_that_it_has(looped, on_looped, capsys, kind):
    assert slim(kind, "--model", looped.loop.reference.id, "--splits", "val,test") == 0
    (words,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("next: ")]
    _, *command = words.removeprefix("next: ").split()
    assert slim(*command) == 0, "the command that is named works"


def test_a_campaign_about_another_split_says_so_and_leads_to_no_subset(looped, on_looped, capsys):
    from slim_core import api

    space = api.make_space(looped.loop.attention.id, split="val", at=looped.at)
    assert slim("candidates", "--space", space.id, "--share", 0.05) == 0
    said = capsys.readouterr()
    assert "campaign is about val" in said.err
    campaign = looped.at.store.campaigns.all()[0].id
    assert campaign in said.out
    assert slim("answer", "--campaign", campaign, "--from-masks") == 0
    assert "slim curate" not in capsys.readouterr().out, "which refuses the campaign"


def test_a_subset_larger_than_its_images_says_how_many_there_are(looped, on_looped, capsys):
    assert slim("curate", "--strategy", "random", "--size", 5000, "--space", looped.loop.space.id) == 0
    assert "5,000 images were asked" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_command_that_meets_a_full_disk_ends_in_a_sentence(unbuffered, tmp_path):
    words = [sys.executable, "-m", "slim_core.cli", "datasets"]
    variables = {**os.environ, "SLIM_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, env=variables, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 2 and "(No space left on device): check its disk" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.slow
def test_a_method_that_fails_leaves_the_results_of_the_others_and_is_named_below_them(
    small_demo, home, tmp_path, capsys
):
    out = tmp_path / "result.json"
    ended = slim(
        *("run", "--data", small_demo, "--epochs", 1, "--size", 20, "--unsure", 1),
        *("--methods", "erm,slim-reference,random", "--json", out),
    )
    printed = capsys.readouterr()
    assert ended == 2
    assert "slim-reference, seed 0, failed: There is no" in printed.err
    result = json.loads(out.read_text())
    assert list(result["methods"]) == ["erm", "random"] and "random" in printed.out
    ((method, seed, message),) = (failure.values() for failure in result["failed"])
    assert (method, seed) == ("slim-reference", 0) and message in printed.err


def test_a_loop_whose_first_method_fails_is_refused_with_its_sentence(small_demo, home, monkeypatch):
    asked = []

    def outcome(_loop, method):
        asked.append(method)
        raise DataRefusedError("An image is gone: import the data again.")

    monkeypatch.setattr(Loop, "outcome", outcome)
    assert slim("run", "--data", small_demo, "--methods", "erm,random") == 2
    assert asked == ["erm"]


def test_of_many_groups_an_import_lists_those_that_have_images(tmp_path, home, capsys):
    for i in range(36):
        Image.new("RGB", (8, 8), (i, 2 * i, 99)).save(tmp_path / f"{i}.png")
    lines = [f"{i}.png,{'ab'[i % 2]},cam{i % 18:02d}" for i in range(36)]
    (tmp_path / "table.csv").write_text("\n".join(["path,label,place", *lines]))
    assert slim("import", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "│ b, cam01" in printed and "│ a, cam01" not in printed
    assert "18 more groups without images." in printed


def test_an_import_whose_table_is_refused_counts_no_images(tmp_path, home, capsys):
    for i in range(8):
        Image.new("RGB", (8, 8), (i, 2 * i, 99)).save(tmp_path / f"{i}.png")
    lines = [f"{i}.png,{'ant' if i < 2 else 'dog'}" for i in range(8)]
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *lines]))
    assert slim("import", tmp_path, "--name", "pets") == 2
    printed = capsys.readouterr().out
    assert "pets: refused" in printed and "0 images" not in printed
