"""How often the effect of the answers is computed anew: by one session for all that show it, and at a bounded cost.

Each open page polls, less often where several do. With twenty people who answer, every poll meets a newer answer;
computed for each of them, the effect takes more than one core, in the very process that takes the answers.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

SHARE = 0.1  # of the time, that one campaign's effect is computed at most
MOST_KEPT = 200  # campaigns
FOLLOWS_S = 20.0  # a page that has not polled for so long is closed

State = int  # the last answer


@dataclass
class _Campaign:
    making: threading.Lock = field(default_factory=threading.Lock)
    state: State | None = None  # that was computed last
    again_at: float = 0.0  # monotonic seconds
    polled: dict[str, float] = field(default_factory=dict)  # page -> when it polled last

    def shown(self, newest: State) -> State | None:
        """The last state, where nothing is newer or it is too soon to compute anew."""
        return self.state if self.state == newest or time.monotonic() < self.again_at else None


class Pace:
    """Which answers the effect of each campaign takes account of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._campaigns: OrderedDict[str, _Campaign] = OrderedDict()

    def state(self, campaign_id: str, newest: State, compute: Callable[[State], object]) -> State:
        """The newest state, computed now; or the last one, while another session computes or it would be too often.

        The first one is waited for by all.
        """
        campaign = self._of(campaign_id)
        if (shown := campaign.shown(newest)) is not None:
            return shown
        if not campaign.making.acquire(blocking=campaign.state is None):
            assert campaign.state is not None  # by now, or it would have waited
            return campaign.state
        try:
            return self._computed(campaign, newest, compute)
        finally:
            campaign.making.release()

    def followers(self, campaign_id: str, page: str) -> int:
        """How many pages show the effect of a campaign now, this one among them."""
        campaign, now = self._of(campaign_id), time.monotonic()
        with self._lock:
            campaign.polled = {one: at for one, at in campaign.polled.items() if now - at < FOLLOWS_S} | {page: now}
            return len(campaign.polled)

    def _of(self, campaign_id: str) -> _Campaign:
        with self._lock:
            found = self._campaigns.setdefault(campaign_id, _Campaign())
            self._campaigns.move_to_end(campaign_id)
            while len(self._campaigns) > MOST_KEPT:
                self._campaigns.popitem(last=False)
            return found

    @staticmethod
    def _computed(campaign: _Campaign, newest: State, compute: Callable[[State], object]) -> State:
        if (shown := campaign.shown(newest)) is not None:  # somebody was faster
            return shown
        since = time.monotonic()
        compute(newest)
        now = time.monotonic()
        campaign.state, campaign.again_at = newest, now + (now - since) * (1 / SHARE - 1)
        return newest
