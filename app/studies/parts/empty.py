"""No study yet: what one is, and how to start it."""

from __future__ import annotations

import streamlit as st

from app.ui.links import next_step

EXAMPLE = """\
sets: [digits, {data: /data/waterbirds, model: resnet50}]
methods: [erm-converged, rwy, jtt, random, slim]
seeds: 0-4
annotators: [perfect, {name: careless, flip: 0.05, unsure: 0.25}]
answers: 0.03            # share of the training images asked about
converged: true          # subsets are retrained from an ERM that has converged, too
curve: [0.005, 0.01]     # further shares, for accuracy against answers
"""


def show() -> None:
    """A study file, and the command that runs it."""
    st.info("A study runs methods on data sets with several seeds, and shows their worst groups in one table.")
    st.code(EXAMPLE, language=None)  # the colours of YAML are too pale to read
    next_step.here("save such a file as `study.yaml`, then run `slim study study.yaml`. Its table fills here.")
