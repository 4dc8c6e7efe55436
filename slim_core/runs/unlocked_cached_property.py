"""A property that is found when it is first asked for, for objects that wait while they find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Found = TypeVar("Found")


class unlocked_cached_property(Generic[Found]):  # noqa: N801 (a decorator, as cached_property)
    """A cached_property without a lock, for objects of one thread each.

    Before Python 3.12 the lock of a cached_property is one for all objects of its class: while one loop awaits its
    reference model, every other loop of the process would wait to submit its own.
    """

    def __init__(self, find: Callable[[Any], Found]) -> None:
        self._find, self._name, self.__doc__ = find, find.__name__, find.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> Found:
        found = instance.__dict__[self._name] = self._find(instance)  # which Python asks first the next time
        return found
