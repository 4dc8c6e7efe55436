"""What an overlap leaves to the team: the same count and words wherever a campaign's progress is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.store.campaigns.rows import Campaign


def n_answered(campaign: Campaign, progress: Mapping[str, Any]) -> int:
    """Images that need nobody else: by as many annotators as the overlap asks for.

    Of a closed campaign those with any answer, as nothing is left to do there. ``progress``: of Campaigns.progress.
    """
    return int(progress["done" if _asks_several(campaign) else "answered"])


def answered_in_words(campaign: Campaign, progress: Mapping[str, Any], what: str = "") -> str:
    """ "25 of 25 answered"; "13 of 25 answered by 2 annotators". ``what``: "images", after the numbers."""
    by = f" by {campaign.overlap} annotators" if _asks_several(campaign) else ""
    return f"{n_answered(campaign, progress):,} of {progress['total']:,}{what and f' {what}'} answered{by}"


def still_needed(campaign: Campaign, progress: Mapping[str, Any]) -> str:
    """ "Each image needs 2 annotators: 12 images still need another annotator."; empty where nothing is left to say."""
    n = int(progress["total"]) - n_answered(campaign, progress)
    if not _asks_several(campaign) or not n:
        return ""
    need = "needs" if n == 1 else "need"
    return f"Each image needs {campaign.overlap} annotators: {counted(n, 'image')} still {need} another annotator."


def _asks_several(campaign: Campaign) -> bool:
    return campaign.overlap > 1 and campaign.status == "open"
