"""No study yet: what one is, and how to start it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

from app.ui.links import next_step
from slim_core.store import Dataset

EXAMPLE = """\
sets: [{sets}]
methods: [erm-converged, rwy, jtt, random, slim]
seeds: 0-4
annotators: [perfect, {{name: careless, flip: 0.05, unsure: 0.25}}]
answers: 0.03            # share of the training images asked about
converged: true          # subsets are retrained from an ERM that has converged, too
curve: [0.005, 0.01]     # further shares, for accuracy against answers
"""
ANY = "digits, {data: /data/waterbirds, model: resnet50}"


def show(datasets: Sequence[Dataset]) -> None:
    """A study file, of the newest of the data sets where there is one, and the command that runs it."""
    st.info("A study runs methods on data sets with several seeds, and shows their worst groups in one table.")
    # YAML reads what JSON quotes: a name may hold what YAML would take to be its own
    sets = f"{{data: {json.dumps(datasets[0].name, ensure_ascii=False)}}}" if datasets else ANY
    st.code(EXAMPLE.format(sets=sets), language=None)  # the colours of YAML are too pale to read
    next_step.here("save such a file as `study.yaml`, then run `slim study study.yaml`. Its table fills here.")
