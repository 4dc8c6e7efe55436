"""Which models a training may name, known without torch: a submit refuses a wrong name at once, in any process."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from slim_core.settings import settings

SMALL_RESNET = "small-resnet"
SMALL_SIZE = 64  # pixels of a side of its images, where nobody names another
MODEL_HELP = f"{SMALL_RESNET}, a torchvision classifier, timm:NAME, or your own package.module:function."
DEFAULT_MODEL = "resnet50"  # of photographs
SMALLEST_SIDE, LARGEST_SIDE = 8, 1024  # pixels of an image, as a model sees it
TIMM = "timm:"  # before the name of one of its models, with or without the tag of its weights
NO_TIMM = (
    "timm is not installed: run pip install 'slim-studio[timm]' where the dashboard and the workers run, or take "
    f"{SMALL_RESNET} or a model of torchvision"
)
_OURS = "slim_core.models.efficientnet_lite:lite0"  # the only function of ours that makes a network for its name
_FUNCTION = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")
_ANCHOR = "resnet50"  # always there: what is read without it was not understood
_TIMM_NAME = re.compile(r"timm:(\w+)(\.\w+)?")
_TIMM_REGISTERED = re.compile(r"^@register_model\s*\ndef (\w+)", re.MULTILINE)
_REGISTERED = re.compile(r'^@register_model\((?:name=)?"?(\w*)"?\).*?^def (\w+)', re.MULTILINE | re.DOTALL)


def check_model(name: str) -> None:
    """Refuse a name that no model has; where torchvision cannot be read, the step itself refuses it.

    Raises:
        ValueError: no model has this name; the message continues "refuses model = ...:".
    """
    if is_custom(name):
        require_allowed_module(name)
        return
    if is_timm(name):
        _check_timm(name)
        return
    known = (SMALL_RESNET, *classifiers())
    if len(known) > 1 and name not in known:
        near = get_close_matches(name, known, n=1)
        example = near[0] if near else _ANCHOR
        raise ValueError(
            f"there is no such model, use {SMALL_RESNET}, {example} or another torchvision classifier, a timm model as "
            f"timm:NAME, or a function of your own as package.module:function"
        )


def is_timm(name: str) -> bool:
    """Whether the name is that of a model of timm: "timm:vit_tiny_patch16_224"."""
    return name.startswith(TIMM)


def is_custom(name: str) -> bool:
    """Whether the name is that of a function that makes a network: "package.module:function"."""
    return ":" in name and not is_timm(name)


def short_name(name: str) -> str:
    """As a person calls the model: of a function of one's own without its module."""
    return name.partition(":")[2] if is_custom(name) else name


def usual_name(model: str, dataset: str) -> str:
    """What a model is called that was trained on all of train and that nobody names: by its network, unlike others."""
    return f"{short_name(model)} on {dataset}"


def _check_timm(name: str) -> None:
    """As ``check_model``; whether there are weights of this tag, the step finds out."""
    if importlib.util.find_spec("timm") is None:
        raise ValueError(NO_TIMM)
    fits, known = _TIMM_NAME.fullmatch(name), timm_models()
    if fits is not None and (not known or fits[1] in known):
        return
    architecture = name.removeprefix(TIMM).partition(".")[0]
    near = get_close_matches(architecture, known, n=1)
    raise ValueError(
        f"timm has no such model, take {TIMM}{near[0] if near else _ANCHOR} or another of timm.list_models()"
    )


def require_allowed_module(name: str) -> None:
    """Refuse a function that may not be called here, before its module is imported.

    Any may where this installation is for one machine; in the served mode those whose module, or a package above it, is
    in SLIM_MODEL_MODULES, and lite0: of our own modules as of any others, most functions make no network.

    Raises:
        ValueError: no model has this name; the message continues "refuses model = ...:".
    """
    if not _FUNCTION.match(name):
        raise ValueError("a network of your own is named as package.module:function")
    module = name.partition(":")[0]
    allowed = settings().model_modules
    is_allowed = name == _OURS or any(module == one or module.startswith(f"{one}.") for one in allowed)
    if not is_allowed and not settings().embedded:
        raise ValueError(
            f"this server takes networks from {', '.join((_OURS, *allowed))} only: name the module in "
            "SLIM_MODEL_MODULES where the dashboard and the workers run"
        )


@cache
def timm_models() -> tuple[str, ...]:
    """The architectures of the timm that is installed, read from its source as in ``classifiers``."""
    return _read_from("timm", _TIMM_REGISTERED, lambda found: found)


@cache
def classifiers() -> tuple[str, ...]:
    """The classifiers of the torchvision that is installed, read from its source: importing it would load torch.

    Empty where there is no torchvision, or it is written in another way than all versions so far.
    """
    return _read_from("torchvision", _REGISTERED, lambda found: found[0] or found[1])


def _read_from(package: str, registered: re.Pattern[str], named: Callable[[Any], str]) -> tuple[str, ...]:
    """The names of models in the source of a package; ``named``: of what the pattern has found."""
    names = tuple(named(one) for text in _sources(package) for one in registered.findall(text))
    return names if _ANCHOR in names else ()


def _sources(package: str) -> Iterator[str]:
    """The files that define the models of a package; none where it is not installed."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return
    for path in sorted((Path(found.origin).parent / "models").glob("*.py")):
        yield path.read_text(encoding="utf-8")
