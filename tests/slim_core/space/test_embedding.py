"""S2: two-dimensional spaces."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slim_core.errors import RunCanceledError, SpecRefusedError
from slim_core.space.embedding import PLACED_BY, SpaceConfig, embed, fit_pca, normalise_rows, project
from slim_core.space.environments import ClusterConfig, environment_clusters, views
from tests.refusals import refusal
from tests.slim_core.space.clumps import features


@pytest.mark.slow
@pytest.mark.parametrize("large", [{}, {"pca_above": 150, "pca_dims": 10}])
def test_the_same_features_and_seed_give_the_same_points(large):
    x, _ = features()
    first = embed(x, SpaceConfig(seed=3, **large))
    assert first.shape == (200, 2) and first.dtype == np.float32
    np.testing.assert_array_equal(first, embed(x, SpaceConfig(seed=3, **large)))
    assert np.abs(first - embed(x, SpaceConfig(seed=4, **large))).max() > 0.1


def test_epochs_of_umap_are_reported():
    seen: list[tuple[int, int]] = []
    embed(np.random.default_rng(0).normal(size=(60, 8)), on_epoch=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (500, 500)


READ_ONLY = """
import errno, sys, tempfile
file = tempfile.TemporaryFile  # with which Numba tries out a folder
def read_only(*args, dir, **options):
    if not str(dir).startswith(sys.argv[1]):
        raise OSError(errno.EROFS, "Read-only file system")
    return file(*args, dir=dir, **options)
tempfile.TemporaryFile = read_only
import numpy as np
from slim_core.space.embedding import embed
print(embed(np.random.default_rng(0).normal(size=(60, 8))).shape)
"""


@pytest.mark.slow
def test_a_service_that_may_write_into_slim_home_alone_has_spaces(tmp_path):
    """ProtectSystem=strict and ReadWritePaths of docs/operations.md."""
    compiled = tmp_path / "compiled"
    give_what_is_compiled_of_the_search(compiled)
    run = [sys.executable, "-c", READ_ONLY, str(tmp_path)]
    done = subprocess.run(run, env=os.environ | {"SLIM_HOME": str(tmp_path)}, capture_output=True, text=True)
    assert done.stdout == "(60, 2)\n", done.stderr
    assert list(compiled.rglob("umap_.smooth_knn_dist*.nbc"))


def give_what_is_compiled_of_the_search(folder: Path) -> None:
    """Into a folder of Numba's: what others have compiled of the search for neighbours, for twenty seconds."""
    import pynndescent
    from numba.core.caching import UserProvidedCacheLocator

    given = folder / UserProvidedCacheLocator.get_suitable_cache_subpath(pynndescent.__file__)
    given.mkdir(parents=True)
    for file in Path(pynndescent.__file__).parent.rglob("*.nb[ic]"):
        shutil.copy2(file, given)


@pytest.mark.slow
def test_images_that_are_placed_after_the_fit_are_counted(monkeypatch):
    monkeypatch.setattr("slim_core.space.embedding.CHUNK_ROWS", 100)
    placed: list[tuple[int, int]] = []
    config = SpaceConfig(pca_above=150, pca_dims=5)
    embed(features(400)[0], config, on_placed=lambda n, of: placed.append((n, of)))
    assert placed == [(150, 400), (250, 400), (350, 400), (400, 400)]


@pytest.mark.slow
def test_a_row_that_was_not_fitted_lies_at_the_median_of_the_nearest_that_were():
    x, _ = features(400)
    points = embed(x, SpaceConfig(pca_above=150, pca_dims=10))
    sample = np.sort(np.random.default_rng(0).choice(400, 150, replace=False))
    reduced = project(fit_pca(x[sample], 10, 0), x)
    rest = np.setdiff1d(np.arange(400), sample)
    apart = np.linalg.norm(reduced[rest][:, None] - reduced[sample], axis=2)
    medians = np.median(points[sample][apart.argsort(axis=1)[:, :PLACED_BY]], axis=1)
    assert np.isclose(points[rest], medians, atol=1e-4).all(axis=1).mean() > 0.8, "the search is approximate"


@pytest.mark.parametrize(
    ("n", "config", "apart"),
    [
        (200, SpaceConfig(), 0.98),
        pytest.param(700, SpaceConfig(pca_above=300, pca_dims=10), 0.95, marks=pytest.mark.slow),  # of a sample
    ],
)
def test_clumps_stay_apart_in_the_space_also_where_a_sample_is_fitted_and_the_rest_is_placed_in_it(n, config, apart):
    x, clump = features(n)
    points = embed(x, config)
    centres = np.array([points[clump == c].mean(axis=0) for c in (0, 1)])
    nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == clump).mean() > apart


@pytest.mark.parametrize("x", [*(features(n)[0] for n in (1, 2, 3, 6, 7, 8, 12)), np.ones((4, 5)), np.ones((400, 5))])
@pytest.mark.parametrize("config", [SpaceConfig(), SpaceConfig(pca_above=100)])
def test_a_few_images_and_images_that_are_all_alike_have_a_space(x, config):
    points = embed(x, config)
    assert points.shape == (len(x), 2)
    assert np.isfinite(points).all()


@pytest.mark.parametrize("config", [SpaceConfig(), SpaceConfig(pca_above=100, pca_dims=5)])
def test_a_stop_is_seen_while_the_space_is_computed(config):
    calls = []

    def stop_at_the_third_look() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise RunCanceledError("stopped")

    with pytest.raises(RunCanceledError):
        embed(features()[0], config, check_stop=stop_at_the_third_look)
    assert len(calls) == 3


BROKEN = np.where(np.arange(200).reshape(50, 4) == 17 * 4 + 2, np.inf, 1).astype(np.float16)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: embed(BROKEN), ("image 17",)),
        (lambda: embed(np.ones((4, 3, 2))), ("(4, 3, 2)",)),
        (lambda: environment_clusters(BROKEN, np.zeros(50, int)), ("image 17",)),
        (lambda: views(np.ones((50, 4)), BROKEN, np.arange(50), ClusterConfig()), ("not finite",)),
        (lambda: views(BROKEN, BROKEN[:, :3], np.arange(9), ClusterConfig()), ("4 channels", "environments=both")),
        *((lambda wrong=wrong: SpaceConfig(**wrong), [*wrong, *wrong.values()])
          for wrong in ({"n_neighbors": 1}, {"min_dist": 1.0}, {"pca_dims": 1})),
        *((lambda wrong=wrong: ClusterConfig(**wrong), list(wrong)[:1])
          for wrong in ({"scope": "some"}, {"k_min": 5, "k_max": 4}, {"n_clusters": 0}, {"cluster_dims": 0})),
    ],
)  # fmt: skip
def test_features_and_values_that_make_no_space_are_refused_with_what_is_wrong(make, named):
    with refusal(SpecRefusedError, *named):
        make()


def test_rows_are_scaled_to_length_one_and_zero_rows_stay():
    rows = normalise_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]])


def test_projecting_in_chunks_equals_projecting_at_once(monkeypatch):
    x, _ = features(100)
    pca = fit_pca(x, 4, seed=0)
    at_once = project(pca, x)
    monkeypatch.setattr("slim_core.space.embedding.CHUNK_ROWS", 7)
    np.testing.assert_allclose(project(pca, x), at_once, atol=1e-5)


@pytest.mark.slow
def test_umap_leaves_the_number_of_threads_of_torch_alone():
    code = (
        "import torch, numpy as np; from slim_core.space.embedding import embed\n"
        "for n in (1, 3):\n"
        "    torch.set_num_threads(n); embed(np.random.default_rng(0).normal(size=(60, 8)))\n"
        "    print(torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.split() == ["1", "3"]
