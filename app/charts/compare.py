"""Charts that set runs side by side; drawn the same in the one-file report, which works without the dashboard."""

from slim_core.report.figures import (
    FEW,
    attention,
    attention_change,
    averages,
    cost_scatter,
    counted,
    headline,
    run_colours,
    seed_differences,
)
from slim_core.report.group_figures import group_intervals

__all__ = [
    "FEW",
    "counted",
    "attention",
    "attention_change",
    "averages",
    "cost_scatter",
    "group_intervals",
    "headline",
    "run_colours",
    "seed_differences",
]
