"""The loop while its processes are killed at random: the short form of benchmarks.chaos."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos import chaos, differences

pytestmark = [pytest.mark.redis, pytest.mark.slow]


@pytest.mark.kills_processes
def test_a_loop_under_random_kills_loses_nothing_and_ends_with_the_same_numbers(tmp_path: Path):
    seen = chaos(tmp_path, kills=5, seed=7, pause_s=3.0, images=200)

    assert seen["kills"] >= 5 and seen["answers"] > 0
    assert (seen["stuck"], seen["doubled"], seen["answers_lost"], seen["left"]) == ([], [], 0, 0)
    assert seen["metrics_equal"]


def test_a_difference_between_two_results_is_named_and_times_are_left_out():
    one = {"wga": 0.5, "seconds": 1.0, "cells": [{"kept": 3}, {"kept": 4}]}
    assert differences(one, {**one, "wga": 0.5 + 1e-9, "seconds": 9.0}) == []
    assert differences(one, {**one, "wga": 0.51}) == [".wga: 0.5 is 0.51 undisturbed"]
    assert differences(one, {**one, "cells": [{"kept": 3}, {"kept": 5}]}) == [".cells[1].kept: 4 is 5 undisturbed"]
    assert differences(one, {"wga": 0.5, "cells": []}) != []
