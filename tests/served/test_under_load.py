"""The short form of benchmarks.served: a few people answer while PostgreSQL dies and comes again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.postgres import programs
from benchmarks.served.run import round_of
from benchmarks.served.site import site

pytestmark = [
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.kills_processes,
    pytest.mark.skipif(programs() is None and "CI" not in os.environ, reason="no PostgreSQL server to start"),
]


def test_no_answer_is_lost_with_the_database_and_the_backup_taken_meanwhile_holds_all_before_it(tmp_path: Path) -> None:
    with site(tmp_path) as opened:
        seen = round_of(opened, tmp_path, people=3, browsers=0, seconds=12, faults=["database"], pace_s=0.5)

    assert seen["answers"] > 0 and seen["backup_answers"] > 0
    assert (seen["lost"], seen["backup_answers_missing"], seen["answers_unacknowledged"]) == (0, 0, 0)
    assert seen["runs_stuck"] == [] and seen["runs"]["done"] >= 3
    assert seen["back_s"]["database"] is not None and seen["faults_not_struck"] == []
    assert 0 < seen["rss_mb_max"] < 1_500
