"""Computes a study, and writes the tables.

    python -m benchmarks.accuracy photographs   # after python -m benchmarks.accuracy.photographs var/photographs
    python -m benchmarks.accuracy draws         # what answers are worth where luck is averaged out
    python -m benchmarks.accuracy charts        # a shortcut of one class alone
    python -m benchmarks.accuracy baselines     # whole networks
    python -m benchmarks.accuracy waterbirds    # and celeba: data of the literature (docs/reproduce.md)
    python -m benchmarks.accuracy tables        # compute nothing: write docs/benchmark.md and the README anew

Cases are computed one at a time and appended to benchmarks/results/accuracy/NAME.csv; those that are there, from any
machine, are not computed again, so an interrupted study goes on where it was. For several at a time start the command
once for each part of the seeds (--seeds 100-104, --seeds 105-109), with a --home of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace

from benchmarks.accuracy.studies import STUDIES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=(*STUDIES, "tables"))
    parser.add_argument("--home", default="var/benchmarks/accuracy", help="where data and runs are kept")
    parser.add_argument("--seeds", type=_seeds, help="only these: 100, or 100-104")
    parser.add_argument("--device", default="cpu", help="of torch; the numbers of docs/benchmark.md are of cpu")
    args = parser.parse_args()
    n_failed = 0 if args.study == "tables" else _compute(args)
    from benchmarks.accuracy.tables import write_all

    write_all()
    sys.exit(2 if n_failed else 0)


def _compute(args: argparse.Namespace) -> int:
    os.environ["SLIM_HOME"] = args.home
    import torch

    from benchmarks.accuracy.compute import compute
    from slim_core.runs.executor import open_workbench

    torch.set_num_threads(1)  # other numbers of threads may give other last digits
    study = STUDIES[args.study]
    asked = replace(study, seeds=tuple(seed for seed in study.seeds if args.seeds is None or seed in args.seeds))
    return compute(asked, open_workbench(device=args.device), lambda line: print(line, flush=True))


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    main()
