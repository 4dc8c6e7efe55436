"""S2: attention and environment features in two dimensions, by UMAP."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from slim_core.errors import SpecRefusedError
from slim_core.parameters import Display, PublicConfig, Seed
from slim_core.settings import settings

CHUNK_ROWS = 20_000
PLACED_BY = 5  # fitted rows, at whose median another one lies: their mean may lie between two clumps


@dataclass(frozen=True, eq=False)
class Pca:
    """Where the features' axes of greatest variance lie."""

    mean: np.ndarray  # (K,)
    axes: np.ndarray  # (d, K)


def fit_pca(features: np.ndarray, dims: int, seed: int) -> Pca:
    """PCA of features (N, K) to min(dims, N, K) dimensions, seeded; the sign of each axis is fixed."""
    from sklearn.decomposition import PCA

    features = np.asarray(features, np.float32)
    dims = min(dims, *features.shape)
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    if dims == 0 or not (features != features[:1]).any():
        return Pca(mean, np.zeros((max(dims, 1), features.shape[1]), np.float32))
    model = PCA(dims, random_state=seed).fit(features)
    return Pca(model.mean_, model.components_)


def project(pca: Pca, features: np.ndarray, check_stop: Callable[[], None] | None = None) -> np.ndarray:
    """Features (N, K) on the axes of a PCA, in chunks: (N, d) float32."""
    out = np.empty((len(features), len(pca.axes)), np.float32)
    for start in range(0, len(features), CHUNK_ROWS):
        if check_stop:
            check_stop()
        rows = slice(start, start + CHUNK_ROWS)
        out[rows] = (np.asarray(features[rows], np.float32) - pca.mean) @ pca.axes.T
    return out


def sampled(positions: np.ndarray, most: int, seed: int) -> np.ndarray:
    """All of these positions (n,), or ``most`` of them, ascending."""
    if len(positions) <= most:
        return positions
    return np.sort(np.random.default_rng(seed).choice(positions, most, replace=False))


def normalise_rows(features: np.ndarray) -> np.ndarray:
    """Rows of (N, K) scaled to length 1, float32; a row of zeros stays."""
    features = np.asarray(features, np.float32)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(length > 0, length, 1.0), np.float32)


def check_finite(features: np.ndarray) -> None:
    """Refuse features that no distance can be taken of.

    Raises:
        SpecRefusedError: they are not (N, K), or hold NaN or infinity.
    """
    if features.ndim != 2:
        raise SpecRefusedError(f"Features have the shape {features.shape}: (images, features) is needed.")
    for start in range(0, len(features), CHUNK_ROWS):
        bad = np.flatnonzero(~np.isfinite(features[start : start + CHUNK_ROWS]).all(axis=1))
        if len(bad):
            raise SpecRefusedError(
                f"The features of image {start + bad[0]} of this split are not finite: run gradcam again on a model "
                f"whose loss did not diverge."
            )


_EPOCH = "_nb_optimize_layout_euclidean_single_epoch"  # not in every UMAP that requirements.txt allows
_COUNT = re.compile(r"\b(\d+)/(\d+) \[")


def fit_umap(features: np.ndarray, ticks: EpochTicks, *, n_neighbors: int, min_dist: float, seed: int) -> np.ndarray:
    """The points (n, 2) float32 of ``features`` (n, K)."""
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
    return np.asarray(points, np.float32)


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
        self._stopped = False

    def write(self, text: str) -> int:
        """What UMAP has to say of its epochs."""
        if not self._stopped:
            self._stopped = True  # the bar writes once more while it is torn down
            self.check_stop()
            self._stopped = False
        for done, total in _COUNT.findall(text):  # "Epochs completed:  12%| 24/200 [00:01"
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


class SpaceConfig(PublicConfig):
    """How features become a 2-D space."""

    seed: Seed = 0
    n_neighbors: Annotated[int, Display(place="more")] = Field(  # reference
        default=5, ge=2, le=500, title="Neighbours", description="Neighbours of each image in UMAP."
    )
    min_dist: Annotated[float, Display(step=0.05, place="more")] = Field(  # reference
        default=0.0, ge=0, lt=1, title="Minimum distance", description="Minimum distance between points in UMAP."
    )
    pca_above: Annotated[int, Display(place="more")] = (
        Field(  # both are fit on so many seeded rows, the rest is placed among them
            default=50_000, ge=100, title="PCA above", description="PCA is applied before UMAP above this many images."
        )
    )
    pca_dims: Annotated[int, Display(place="more")] = Field(
        default=50, ge=2, title="PCA dimensions", description="Dimensions of that PCA."
    )


def embed(
    features: np.ndarray,
    config: SpaceConfig | None = None,
    *,
    check_stop: Callable[[], None] | None = None,
    on_epoch: Callable[[int, int], None] | None = None,
    on_placed: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Features (N, K) as points (N, 2) float32: UMAP with Euclidean distances and a fixed seed (METHOD S2).

    Up to ``pca_above`` rows UMAP is fit on all of them. Above, PCA and UMAP are fit on that many seeded rows, and each
    of the rest lies at the median of the PLACED_BY nearest of them in that PCA. Fewer than n_neighbors + 2 rows are too
    few for UMAP: they get their first two principal components. The same features and config give the same points, so
    the config is all that need be kept.

    Args:
        features: (N, K), any float type; may be memory-mapped.
        config: see SpaceConfig.
        check_stop: called between stages and about once a second during UMAP's epochs; what it raises ends the step.
            The search for neighbours before the first epoch cannot be interrupted.
        on_epoch: (epochs of UMAP done, in all), about once a second.
        on_placed: above ``pca_above``, once UMAP is fitted: (rows that have their points, N), for each chunk.

    Raises:
        SpecRefusedError: the features are not (N, K) or hold NaN or infinity.
    """
    config = config or SpaceConfig()
    check_stop, on_epoch = check_stop or _never_stop, on_epoch or _tell_nobody
    check_finite(features)
    n = len(features)
    if n < config.n_neighbors + 2:
        return _pad(project(fit_pca(features, 2, config.seed), features), 2)
    if n <= config.pca_above:
        return _fit(np.asarray(features, np.float32), config, EpochTicks(check_stop, on_epoch))
    return _embed_large(features, config, EpochTicks(check_stop, on_epoch), on_placed or _tell_nobody)


def _embed_large(
    features: np.ndarray, config: SpaceConfig, ticks: EpochTicks, on_placed: Callable[[int, int], None]
) -> np.ndarray:
    n = len(features)
    sample = sampled(np.arange(n), config.pca_above, config.seed)
    reduced = project(fit_pca(features[sample], config.pca_dims, config.seed), features, ticks.check_stop)
    points = np.empty((n, 2), np.float32)
    points[sample] = fitted = _fit(reduced[sample], config, ticks)
    on_placed(len(sample), n)  # the first chunk waits for the search to be prepared
    search = _search(reduced[sample], config.seed)
    rest = np.setdiff1d(np.arange(n), sample)
    for start in range(0, len(rest), CHUNK_ROWS):
        ticks.check_stop()
        rows = rest[start : start + CHUNK_ROWS]
        points[rows] = np.median(fitted[search.query(reduced[rows], k=PLACED_BY)[0]], axis=1)
        on_placed(len(sample) + start + len(rows), n)
    return points


def _search(rows: np.ndarray, seed: int) -> Any:
    """The search for neighbours that UMAP itself uses, in these rows (n, d)."""
    _umap()  # where Numba keeps what it compiles of the search
    from pynndescent import NNDescent

    with quiet():
        search = NNDescent(rows, random_state=seed, n_jobs=1)
        search.prepare()
    return search


def _fit(features: np.ndarray, config: SpaceConfig, ticks: EpochTicks) -> np.ndarray:
    return fit_umap(features, ticks, n_neighbors=config.n_neighbors, min_dist=config.min_dist, seed=config.seed)


def _never_stop() -> None:
    return None


def _tell_nobody(_done: int, _total: int) -> None:
    return None


def _pad(points: np.ndarray, dims: int) -> np.ndarray:
    return np.pad(points, ((0, 0), (0, dims - points.shape[1])))
