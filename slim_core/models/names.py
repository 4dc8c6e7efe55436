"""Which models a training may name, known without torch: a submit refuses a wrong name at once, in any process."""

from __future__ import annotations

import importlib.util
import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path

SMALL_RESNET = "small-resnet"
_ANCHOR = "resnet50"  # always there: what is read without it was not understood
_REGISTERED = re.compile(r'^@register_model\((?:name=)?"?(\w*)"?\).*?^def (\w+)', re.MULTILINE | re.DOTALL)


def check_model(name: str) -> None:
    """Refuse a name that no model has; where torchvision cannot be read, the step itself refuses it.

    Raises:
        ValueError: so, in words that follow "refuses model = ...:".
    """
    known = (SMALL_RESNET, *classifiers())
    if len(known) > 1 and name not in known:
        near = get_close_matches(name, known, n=1)
        example = near[0] if near else _ANCHOR
        raise ValueError(f"there is no such model, take {SMALL_RESNET}, {example} or another of torchvision's")


@cache
def classifiers() -> tuple[str, ...]:
    """The classifiers of the torchvision that is installed, read from its source: importing it would load torch.

    Empty where there is no torchvision, or it is written in another way than all versions so far.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return ()
    texts = (path.read_text(encoding="utf-8") for path in sorted((Path(found.origin).parent / "models").glob("*.py")))
    names = tuple(given or function for text in texts for given, function in _REGISTERED.findall(text))
    return names if _ANCHOR in names else ()
