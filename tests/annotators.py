"""People of tests who answer campaigns."""

from __future__ import annotations

from slim_core.annotation.simulated_annotator import mask_scores
from slim_core.metrics import ATTENTION_PRECISION
from slim_core.store import Campaign, Store


def median_threshold(store: Store, campaign: Campaign) -> float:
    """Half of a campaign's images look better than this. Two epochs teach a model too little for a fixed threshold."""
    rows = [item.row for item in store.campaigns.items(campaign.id)]
    return float(mask_scores(store, campaign.id)[ATTENTION_PRECISION][rows].median())
