"""``python -m workers`` refuses what makes no sense before it starts anything."""

from __future__ import annotations

import pytest

from workers.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--cpu", "0"], "--cpu 0: take a number of processes, 1 or more"),
        (["--queues", "gpu,tpu"], "--queues gpu,tpu: take gpu, cpu, or both joined by a comma"),
        (["--queues", ""], "take gpu, cpu, or both"),
        (["--cpu", "many"], "invalid int value: 'many'"),
    ],
)
def test_senseless_options_are_refused_in_one_sentence(capsys, arguments: list[str], sentence: str):
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2 and sentence in capsys.readouterr().err


def test_help_shows_how_to_call_it(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0 and "python -m workers --cpu 2" in capsys.readouterr().out
