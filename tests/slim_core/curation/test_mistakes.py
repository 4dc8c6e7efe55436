"""The reference's mistakes (METHOD section 3): two that belong to no single part, and where the others are held.

1 layouts of checkpoints: models/test_models; 2, 4, 5, 14: test_metrics; 3: data/test_images (box),
data/importers/test_waterbirds (boxes by id); 6: annotation/test_propagation (all wrong, far points), test_keep; 7: the
same (compared as they are); 8: space/test_clustering (ends of the range, minimised); 9: test_curation, test_budgets;
10: annotation/test_candidates, space/test_clustering, test_curation (own cell); 13: training/last_layer/test_logistic.
"""

import numpy as np
import pytest
from PIL import Image

from slim_core import api
from slim_core.attention.attention_pass import attention_pass
from slim_core.models.build import build


@pytest.fixture
def same_names(tmp_path):
    """A data set whose splits hold different images of the same base name."""
    rng = np.random.default_rng(0)
    lines = ["path,split,label"]
    for split in ("train", "val", "test"):
        (tmp_path / "data" / split).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / split / f"{i}.png")
            lines.append(f"{split}/{i}.png,{split},{i % 2}")
    (tmp_path / "data" / "metadata.csv").write_text("\n".join(lines))
    return tmp_path / "data"


def test_mistake_11_maps_of_equal_file_names_and_of_two_models_do_not_clash(same_names, workbench):
    dataset = api.data_set(same_names, at=workbench)
    models = [api.train(dataset.id, model="small-resnet", epochs=1, seed=seed, at=workbench) for seed in (0, 1)]
    runs = [api.gradcam(model.id, at=workbench) for model in models]
    logits = [np.load(workbench.store.artifacts.folder(run.id) / "logits.npy") for run in runs]
    assert len(np.unique(logits[0], axis=0)) == len(logits[0]) == 12  # an image, not a name, has a row
    assert not np.allclose(logits[0], logits[1])  # a model has a folder


def test_mistake_12_the_number_of_files_does_not_grow_with_the_number_of_images(same_names, workbench, tmp_path):
    dataset = api.data_set(same_names, at=workbench)
    table = workbench.store.datasets.table(dataset.id)
    counts = []
    for n in (2, 12):
        folder = tmp_path / f"first {n}"
        folder.mkdir()
        attention_pass(build("small-resnet", 2, seed=0), table, np.arange(n), folder)
        counts.append(len(list(folder.rglob("*"))))
    assert counts[0] == counts[1] < 13
