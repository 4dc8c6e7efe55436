"""S6 to S9: from scores and spaces to a small, balanced subset, by strategies with names."""

from slim_core.curation.baselines import require_attributes
from slim_core.curation.curate import (
    ANSWERED,
    LABELS_USED,
    NEEDS_ANSWERS,
    STRATEGIES,
    check_options,
    curate,
    needs_scores,
    require_size,
)
from slim_core.curation.data import CurationData, Strategy, Subset, default_subset_size
from slim_core.curation.keep import keep, require_trusted_answers, trusted
from slim_core.curation.options import DEFAULT_KEEP, KEEP_RULES, CurateOptions

__all__ = [
    "ANSWERED",
    "DEFAULT_KEEP",
    "KEEP_RULES",
    "LABELS_USED",
    "NEEDS_ANSWERS",
    "STRATEGIES",
    "CurateOptions",
    "CurationData",
    "Strategy",
    "Subset",
    "check_options",
    "curate",
    "default_subset_size",
    "keep",
    "needs_scores",
    "require_attributes",
    "require_trusted_answers",
    "require_size",
    "trusted",
]
