"""S6 to S9: from scores and spaces to a small, balanced subset, by strategies with names."""

from slim_core.curation.curate import (
    ANSWERED,
    LABELS_USED,
    NEEDS_ANSWERS,
    STRATEGIES,
    check_options,
    curate,
    needs_scores,
    require_attributes,
    require_size,
)
from slim_core.curation.data import (
    DEFAULT_KEEP,
    KEEP_RULES,
    CurateOptions,
    CurationData,
    Strategy,
    Subset,
    default_subset_size,
)
from slim_core.curation.slim import keep, require_trusted_answers, trusted

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
