"""UMAP as a space needs it: seeded, stoppable between its epochs, quiet, and compiled once for all processes."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from slim_core.settings import settings

_EPOCH = "_nb_optimize_layout_euclidean_single_epoch"  # not in every UMAP that requirements.txt allows
_COUNT = re.compile(r"\b(\d+)/(\d+) \[")


def fit_umap(
    features: np.ndarray, ticks: EpochTicks, *, n_neighbors: int, min_dist: float, seed: int
) -> tuple[Any, np.ndarray]:
    """The fitted model, and the points (n, 2) float32 of ``features`` (n, K)."""
    ticks.check_stop()
    with quiet():
        model = _umap().UMAP(
            n_components=2,
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            random_state=seed,
            transform_seed=seed,
            n_jobs=1,  # a seed allows no more; saying so keeps UMAP from warning
            tqdm_kwds={"disable": False, "file": ticks, "mininterval": 1.0},
        )
        points = model.fit_transform(features)
    ticks.check_stop()
    return model, np.asarray(points, np.float32)


def _umap() -> Any:
    """UMAP, which keeps what it compiles beside the package, in the user's cache or, where neither can be written, in
    SLIM_HOME: a service may have no other folder, and Numba does not compile what it is to keep and cannot."""
    import numba

    # Numba's OpenMP layer would change how many threads torch uses in this process.
    numba.config.THREADING_LAYER = "workqueue"  # type: ignore[attr-defined]
    try:
        import umap
    except RuntimeError:  # no locator available
        numba.config.CACHE_DIR = str(settings().home.resolve() / "compiled")  # type: ignore[attr-defined]
        import umap
    _keep_compiled()
    return umap


def _keep_compiled() -> None:
    """Keep what Numba compiles of UMAP, as it does for the search of neighbours: about 10 s for each process."""
    from umap import layouts, umap_, utils

    kept = [utils.fast_knn_indices, umap_.smooth_knn_dist, umap_.compute_membership_strengths]
    kept += filter(None, [getattr(layouts, _EPOCH, None)])
    for function in kept:
        function.enable_caching()


class EpochTicks(io.StringIO):
    """UMAP offers no callback, but writes a progress bar as it goes: each write is a chance to stop, and to tell."""

    def __init__(self, check_stop: Callable[[], None], on_epoch: Callable[[int, int], None]) -> None:
        super().__init__()
        self.check_stop, self._on_epoch = check_stop, on_epoch
        self.is_fitted = False  # from then on epochs are those of images that are placed, a chunk at a time
        self._stopped = False

    def write(self, text: str) -> int:
        """What UMAP has to say of its epochs."""
        if not self._stopped:
            self._stopped = True  # the bar writes once more while it is torn down
            self.check_stop()
            self._stopped = False
        for done, total in [] if self.is_fitted else _COUNT.findall(text):  # "Epochs completed:  12%| 24/200 [00:01"
            self._on_epoch(int(done), int(total))
        return len(text)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the known remarks of UMAP and its parts that say nothing to a user."""
    with warnings.catch_warnings():
        for message in (
            "n_jobs value",
            "Spectral initialisation failed",
            "Graph is not fully connected",
            "A few of your vertices were disconnected",
            "The TBB threading layer requires",
        ):
            warnings.filterwarnings("ignore", message=f".*{message}")
        warnings.filterwarnings("ignore", category=FutureWarning, module="sklearn")
        warnings.filterwarnings("ignore", category=ImportWarning, module="umap")
        yield
