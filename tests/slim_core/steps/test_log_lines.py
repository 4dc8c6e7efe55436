"""The lines that progress leaves in the log of a run."""

from __future__ import annotations

import logging

import pytest

from slim_core.steps import context


def test_each_epoch_leaves_a_line_with_its_loss_and_validation(caplog: pytest.LogCaptureFixture) -> None:
    lines = context._Lines(logging.getLogger("slim.train"))
    with caplog.at_level(logging.INFO):
        for epoch in (1, 2):
            about = {"epoch": epoch, "epochs": 2, "total": 200, "train_loss": 0.5 / epoch}
            lines.say({**about, "done": 100 * epoch - 50, "phase": "train", "val": None})
            lines.say({**about, "done": 100 * epoch, "phase": "validate", "val": {"average": 0.75, "wga": 0.5}})
    assert caplog.messages == [
        "epoch 1 of 2 · 100 of 200 · loss 0.5000 · validation average 75.0%, worst group 50.0%",
        "epoch 2 of 2 · 200 of 200 · loss 0.2500 · validation average 75.0%, worst group 50.0%",
    ]


def test_a_line_of_a_training_that_diverges_stays_short(caplog: pytest.LogCaptureFixture) -> None:
    lines = context._Lines(logging.getLogger("slim.train"))
    with caplog.at_level(logging.INFO):
        about = {"epoch": 1, "epochs": 1, "total": 200, "train_loss": 685718148746297.375}
        lines.say({**about, "done": 200, "phase": "train", "val": {}})
    assert caplog.messages == ["epoch 1 of 1 · 200 of 200 · loss 6.86e+14"]


def test_a_long_pass_leaves_a_line_a_minute(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(context.time, "monotonic", lambda: now[0])
    lines = context._Lines(logging.getLogger("slim.gradcam"))
    with caplog.at_level(logging.INFO):
        for done in range(0, 300, 10):  # ten seconds each
            now[0] += 10
            lines.say({"done": done, "total": 1000, "phase": "attention"})
    assert caplog.messages == [f"attention · {done} of 1,000" for done in (50, 110, 170, 230, 290)]
