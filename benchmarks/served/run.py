"""One round: people, work and faults at once, then what is in the database, and in the backup."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.disturbance import Part
from benchmarks.hostile.watch import Memory
from benchmarks.postgres import new_database
from benchmarks.served.browsers import Browsers
from benchmarks.served.effort import Effort
from benchmarks.served.faults import Faults, Window, during
from benchmarks.served.inside import Inside
from benchmarks.served.people import Answer, Person, Record, Trouble
from benchmarks.served.site import Site
from benchmarks.served.work import Bench, Load, images_for, settled, stuck
from slim_core.settings import Settings
from slim_core.store import Store

log = logging.getLogger("served")

FAULTS = ("redis", "database", "app", "worker", "disk")
SHOWN = 20  # troubles in the result


def round_of(
    site: Site, folder: Path, *, people: int, browsers: int, seconds: float, faults: Sequence[str], pace_s: float
) -> dict[str, Any]:
    """The numbers of the benchmark."""
    names = [f"person-{k}@example.org" for k in range(people)]
    bench = Bench(site, images_for(people, seconds, pace_s), names, pace_s)
    record, backup = Record(), folder / "under-load.zip"
    order = [name for name in faults if name != "disk" or site.has_small_disk]
    order.insert((len(order) + 1) // 2, "backup")
    log.info("begin: %d people, %s", people, ", ".join(order))
    with ExitStack() as stack:
        memory = stack.enter_context(Memory({"app": lambda: site.app_pid}))
        effort = stack.enter_context(Effort(site.groups()))
        inside = stack.enter_context(Inside(site.topology.port, site.metrics_token))
        load = stack.enter_context(Load(site, bench))
        team: list[Part] = [Browsers(bench.room, names[:browsers], 0, record)]
        team += [Person(bench.room, who, k, record) for k, who in enumerate(names[browsers:])]
        for one in team:
            stack.enter_context(one)
        began = time.monotonic()
        pause_s = seconds / (len(order) + 1)
        struck = stack.enter_context(Faults(site, load, record, order, pause_s=pause_s, backup=backup))
        while time.monotonic() - began < seconds or not struck.are_over:
            if any(one.trouble is not None for one in (struck, load, *team)):
                break  # it is raised at the end of the block
            time.sleep(0.5)
    taken = time.monotonic() - began
    runs = settled(site.store)
    missing = missing_in_backup(site, backup, folder / "restored", bench, record.acknowledged(struck.backup_began or 0))
    kept = Counter(site.store.answers.frame(bench.room.campaign)["id"])
    return {
        "people": people, "browsers": browsers, "seconds": round(taken), "pace_s": pace_s,
        **answered(record.answers, struck.windows),
        "answer_in_app_p50_ms": inside.percentile_ms(50, struck.windows),
        "answer_in_app_p95_ms": inside.percentile_ms(95, struck.windows),
        **errors(record.troubles, struck.windows),
        "answers_kept": sum(kept.values()),
        "lost": sum(kept[one] != 1 for one in record.acknowledged()),
        "runs": dict(Counter(run.status for run in runs)),
        "runs_stuck": stuck(runs),
        "run_failures": sorted({str(run.message) for run in runs if run.status == "failed"}),
        "back_s": {window.fault: window.seconds for window in struck.windows},
        "back_parts_s": {window.fault: window.back_s for window in struck.windows},
        "faults_not_struck": sorted(set(faults) - {window.fault for window in struck.windows}),
        "computed_s": {name: round(seconds, 1) for name, seconds in effort.computed_s.items()},
        "waited_for_a_core_s": {name: round(seconds, 1) for name, seconds in effort.waited_s.items()},
        "rss_mb_max": round(memory.most_mb["app"]),
        "backup_answers": len(record.acknowledged(struck.backup_began or 0)),
        "backup_answers_missing": missing,
    }  # fmt: skip


def answered(answers: Iterable[Answer], windows: Sequence[Window]) -> dict[str, Any]:
    """How many, and how long each took: outside of the faults, and those that met one."""
    acknowledged = [one for one in answers if one.acknowledged is not None]
    inside = [one.ms for one in acknowledged if during(windows, one.at, float(one.acknowledged or 0))]
    outside = [one.ms for one in acknowledged if not during(windows, one.at, float(one.acknowledged or 0))]
    return {
        "answers": len(acknowledged),
        "answers_unacknowledged": sum(one.acknowledged is None for one in answers),
        "answer_p50_ms": percentile(outside, 50),
        "answer_p95_ms": percentile(outside, 95),
        "answers_in_faults": len(inside),
        "answer_in_faults_p50_ms": percentile(inside, 50),
        "answer_in_faults_p95_ms": percentile(inside, 95),
    }


def errors(troubles: Iterable[Trouble], windows: Sequence[Window]) -> dict[str, Any]:
    """Those outside of the faults, which are too many, and how many there were inside."""
    outside = [one for one in troubles if not during(windows, one.since, one.until)]
    said = [{"who": one.who, "at": round(one.since, 1), "said": one.said} for one in outside[:SHOWN]]
    return {"errors": len(outside), "errors_in_faults": len(list(troubles)) - len(outside), "errors_said": said}


def percentile(values: list[float], q: float) -> float | None:
    """None of no values."""
    return round(float(np.percentile(values, q)), 1) if values else None


def missing_in_backup(site: Site, backup: Path, home: Path, bench: Bench, acknowledged: set[str]) -> int:
    """Answers acknowledged before the backup began that are not there once it is put back into an empty site."""
    with new_database(site.cluster.url(), "slim_restored") as url:
        restored = {"SLIM_HOME": str(home), "SLIM_DATABASE_URL": url}
        log.info("restore: %s", site.slim("backup", str(backup), "--restore", **restored).strip())
        store = Store.open(Settings(home=home, database_url=url))
        found = Counter(store.answers.frame(bench.room.campaign)["id"])
        store.close()
    return sum(found[one] != 1 for one in acknowledged)
