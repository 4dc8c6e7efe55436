"""Which models a training may name, known without torch: a submit refuses a wrong name at once, in any process."""

from __future__ import annotations

import importlib.util
import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from slim_core.settings import settings

SMALL_RESNET = "small-resnet"
_OURS = "slim_core.models"
_FUNCTION = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")
_ANCHOR = "resnet50"  # always there: what is read without it was not understood
_REGISTERED = re.compile(r'^@register_model\((?:name=)?"?(\w*)"?\).*?^def (\w+)', re.MULTILINE | re.DOTALL)


def check_model(name: str) -> None:
    """Refuse a name that no model has; where torchvision cannot be read, the step itself refuses it.

    Raises:
        ValueError: no model has this name; the message continues "refuses model = ...:".
    """
    if is_custom(name):
        require_allowed_module(name)
        return
    known = (SMALL_RESNET, *classifiers())
    if len(known) > 1 and name not in known:
        near = get_close_matches(name, known, n=1)
        example = near[0] if near else _ANCHOR
        raise ValueError(
            f"there is no such model, take {SMALL_RESNET}, {example} or another of torchvision's, or a function of "
            f"your own as package.module:function"
        )


def is_custom(name: str) -> bool:
    """Whether the name is that of a function that makes a network: "package.module:function"."""
    return ":" in name


def require_allowed_module(name: str) -> None:
    """Refuse a function that may not be called here, before its module is imported.

    Our own modules may always; others where this installation is for one machine, or where SLIM_MODEL_MODULES names
    their module or a package above it.

    Raises:
        ValueError: no model has this name; the message continues "refuses model = ...:".
    """
    if not _FUNCTION.match(name):
        raise ValueError("a network of your own is named as package.module:function")
    module = name.partition(":")[0]
    allowed = (_OURS, *settings().model_modules)
    if any(module == one or module.startswith(f"{one}.") for one in allowed):
        return
    if not settings().embedded:
        raise ValueError(
            f"this server calls networks of {', '.join(allowed)} only: name the module in SLIM_MODEL_MODULES where the "
            f"dashboard and the workers run"
        )


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
