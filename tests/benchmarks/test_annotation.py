"""The team of the annotation benchmark ends by itself."""

from __future__ import annotations

import pytest

from benchmarks import annotation


def test_tabs_that_never_hear_that_all_is_done_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tabs = annotation._Tabs.__new__(annotation._Tabs)  # without a browser
    tabs._tabs = ["one", "another"]
    monkeypatch.setattr(annotation._Tabs, "_look", lambda _self, _tab: ("", ""))
    monkeypatch.setattr(annotation, "PATIENCE_S", 0.05)
    with pytest.raises(TimeoutError, match="2 tabs in Chromium were still waiting"):
        tabs.work()
