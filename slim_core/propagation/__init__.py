"""S5: from a few answers to a score for every image, at once or answer by answer."""

from slim_core.propagation.campaign import LiveCampaign, live_campaign, live_scores
from slim_core.propagation.live import LivePropagation
from slim_core.propagation.spreading import GAMMAS, GRID_ABOVE, Method, expand, expand_class, standardise

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
