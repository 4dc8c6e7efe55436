"""What each action needs by its docstring is what it asks for, before it changes anything."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from unittest.mock import MagicMock

import pytest

from app import session
from app.services import actions, campaign_actions
from app.session import Viewer
from slim_core.errors import ForbiddenError
from slim_core.store.members import ROLES, Role
from tests.refusals import refusal

FOR_OTHER_ACTIONS = {"wake", "wake_all", "subset_spec"}  # of runs that were saved by others of them; reads alone
ALL = [
    pytest.param(action, id=action.__name__)
    for module in (actions, campaign_actions)
    for action in vars(module).values()
    if inspect.isfunction(action) and action.__module__ == module.__name__ and not action.__name__.startswith("_")
    if action.__name__ not in FOR_OTHER_ACTIONS
]


@pytest.mark.parametrize("action", ALL)
def test_an_action_is_refused_to_the_role_below_the_one_it_names(
    action: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    needed: Role = re.search(r"\(needs (\w+)", inspect.getdoc(action))[1]
    below = ROLES[ROLES.index(needed) - 1]
    store, queue = MagicMock(), MagicMock()
    monkeypatch.setattr(session, "viewer", lambda: Viewer("someone", below))
    monkeypatch.setattr(session, "store", lambda: store)
    monkeypatch.setattr(session, "queue", lambda: queue)
    monkeypatch.setattr(campaign_actions, "subset_spec", MagicMock())
    given = {
        name: MagicMock()
        for name, one in inspect.signature(action).parameters.items()
        if one.default is inspect.Parameter.empty
    }
    with refusal(ForbiddenError, below, needed):
        action(**given)
    assert store.mock_calls == queue.mock_calls == []
