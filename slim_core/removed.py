"""What earlier versions had, and what serves instead: the one table of old names, kept for one release.

A name is refused with its sentence wherever it can still be given: a command, an option, a method, a refit, a form of
export, a setting.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "data": "The Data page renames and describes a data set; `slim delete ID` removes one.",
    "data-diff": "The Data page compares two versions of a data set.",
    "features": "`slim gradcam` computes the features in the same pass.",
    "inspect": "`slim train` and `slim register-model` say which layer they take, and refuse a network without one.",
    "log": "`slim runs RUN` prints the log of a run.",
    "preview": "The Attention page previews a few images.",
    "sheets": "People are asked about images alone: `slim answer`, or the Annotate page.",
    "storage": "The Jobs page shows what uses the disk.",
    "studies": "`slim run --methods NAMES --seeds 0,1,2` computes methods with several seeds; Compare shows them.",
    "study": "`slim run --methods NAMES --seeds 0,1,2` computes methods with several seeds; Compare shows them.",
}
METHODS: Mapping[str, str] = dict.fromkeys(
    (
        *("slim-environments", "slim-images-and-environments", "slim-environment-groups"),
        *("group-dro-environments", "dfr-environments"),
    ),
    "People are asked about images alone: use slim, or slim-no-answers.",
)
REFITS: Mapping[str, str] = {}
EXPORTS: Mapping[str, str] = {
    "answers-jsonl": "answers-csv has the same answers.",
    "answers-parquet": "answers-csv has the same answers.",
    "features-reference": "features-npy has the pooled features, and labels.npy in their order.",
    "maps-npz": "maps-png has the heat maps, and fiftyone has them beside predictions.",
    "model-card": "the report of Compare has every group with its interval.",
    "overlays-png": "maps-png has the heat maps, and fiftyone shows them over the images.",
    "probabilities": "fiftyone has each prediction with its confidence.",
    "subset-huggingface": "datasets opens the class folders of subset-imagefolder.",
    "subset-npy": "subset-csv has the row of each image, and how often it is used.",
}
SETTINGS: Mapping[str, str] = {
    "SLIM_CPU_WORKERS": "`python -m workers --cpu N` says how many processes compute on the CPU.",
    "SLIM_RENDEZVOUS": "SLIM_MACHINES=2@first:29400 says how many machines share a training, and where they meet.",
}
