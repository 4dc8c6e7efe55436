"""S5: from a few answers to a score for every image, at once or answer by answer."""

from slim_core.annotation.propagation.campaign import LiveCampaign, live_campaign, live_scores
from slim_core.annotation.propagation.live import LivePropagation
from slim_core.annotation.propagation.spreading import GAMMAS, GRID_ABOVE, Method, expand, expand_class, standardise

__all__ = [
    "GAMMAS",
    "GRID_ABOVE",
    "LiveCampaign",
    "LivePropagation",
    "Method",
    "expand",
    "expand_class",
    "live_campaign",
    "live_scores",
    "standardise",
]
