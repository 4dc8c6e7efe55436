"""What of torch imports its compiler when it is first called, without it: the optimizers, and the seed.

Nobody compiles a training here, and that import takes as long as that of torch: every training would wait for it.
"""

from __future__ import annotations

import inspect
from typing import TypeVar, cast

import torch
from torch.optim import Optimizer

T = TypeVar("T", bound=Optimizer)
_KEPT_FROM_THE_COMPILER = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def _without_compiler(kind: type[T]) -> type[T]:
    """The same optimizer: its methods as they are below the decorators by which the compiler leaves them alone."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _KEPT_FROM_THE_COMPILER}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return cast(type[T], type(kind.__name__, (kind,), {**methods, "step": step, "__module__": __name__}))


SGD = _without_compiler(torch.optim.SGD)
Adam = _without_compiler(torch.optim.Adam)
AdamW = _without_compiler(torch.optim.AdamW)
manual_seed = inspect.unwrap(torch.manual_seed)
