"""Does a team notice when parts of the served mode fail, and is anything lost?

    python -m benchmarks.served --people 20 --seconds 300 --json benchmarks/results/served.json

The services of compose.yaml run as real processes on 127.0.0.1, from its own commands and settings: Redis with its
password, a PostgreSQL server of its own (by initdb, fsync on), the dashboard with people named by a proxy's header, and
two workers. They make a demo set, a model, its attention, a space and a campaign. Then all people answer it at once:
four in a real Chromium, who press keys, the others over their page's websocket and routes, with the ticket that their
own page gave them; a training and a curation are always under way. One after another Redis, PostgreSQL (at once, as if
its machine died) and the dashboard are restarted, the worker that computes is killed with -9, and the disk of SLIM_HOME
is full for some seconds; in between `slim backup` is taken, and put back into an empty site at the end.

answers: acknowledged. answer_p50_ms, answer_p95_ms: from giving one to its acknowledgement, of those that met no fault;
answer_in_faults_*: of the others, whose waiting is in it. answer_in_app_*: what of it the dashboard measures itself
(/metrics: slim_route_seconds), from a request's headers to its response. computed_s, waited_for_a_core_s: of the
processes of the site, and of those of the people, in seconds of all their threads. errors: statuses, closed
connections, errors shown on pages outside of faults. lost: acknowledged answers that are not in the database exactly
once. runs_stuck: neither done nor failed with a sentence. back_s: seconds from the fault (full disk: from when there is
space) until all was ready, an answer given since was acknowledged and a run submitted since had begun, and of a killed
worker, until its run went on. rss_mb_max: of the dashboard. backup_answers_missing: acknowledged before the backup
began, but not in it. load_1m: of the machine, before; on one that computes something else meanwhile the times are that
machine's.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.served.run import FAULTS, round_of
from benchmarks.served.site import site

BROWSERS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the numbers; 1 where something was lost, stuck, or wrong outside of faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file the result is written to")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--browsers", type=int, default=BROWSERS, help="people who use a real Chromium")
    parser.add_argument("--seconds", type=float, default=300, help="at least; until every fault is over")
    parser.add_argument("--pace", type=float, default=1.0, help="mean seconds that a person looks at an image")
    parser.add_argument("--faults", nargs="*", choices=FAULTS, default=FAULTS)
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    load, cores = os.getloadavg()[0], os.cpu_count()
    with tempfile.TemporaryDirectory(prefix="served-") as name, site(Path(name)) as opened:
        result = round_of(
            opened, Path(name), people=asked.people, browsers=min(asked.browsers, asked.people),
            seconds=asked.seconds, faults=asked.faults, pace_s=asked.pace,
        )  # fmt: skip
    result |= {"load_1m": round(load, 1), "cores": cores}
    text = json.dumps(result, indent=1)
    if asked.json:
        asked.json.write_text(text + "\n")
    print(text)
    wrong = ("errors", "lost", "runs_stuck", "backup_answers_missing")
    return int(any(result[name] for name in wrong) or None in result["back_s"].values())


if __name__ == "__main__":
    raise SystemExit(main())
