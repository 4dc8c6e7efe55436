"""What earlier versions had, and what serves instead: the one table of old names, kept for one release.

A name is refused with its sentence wherever it can still be given: a command, an option or its value, a method, a
refit, a form of export, a setting.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "data": "The Data page renames and describes a data set; `slim delete ID` removes one.",
    "data-diff": "The Data page compares two versions of a data set.",
    "demo-data": "`slim demo FOLDER` writes the images of a demo set.",
    "features": "`slim gradcam` computes the features in the same pass.",
    "inspect": "The Train page shows the target layer of a model; `slim gradcam` refuses a network without one.",
    "log": "`slim runs RUN` prints the log of a run.",
    "preview": "The Attention page previews a few images.",
    "register-model": "`slim report FILE DATA --arch NAME` registers the model, and evaluates it.",
    "restore": "`slim backup FILE --restore` puts a backup into an empty SLIM_HOME.",
    "sheets": "People are asked about images alone: `slim answer`, or the Annotate page.",
    "storage": "The Jobs page shows what uses the disk.",
    "studies": "`slim run --methods NAMES --seeds 0,1,2` computes methods with several seeds; Compare shows them.",
    "study": "`slim run --methods NAMES --seeds 0,1,2` computes methods with several seeds; Compare shows them.",
}
_LAST_LAYERS = "Take jtt, which uses no group labels, or dfr, which uses those of validation."
_ANSWERS = "Take slim: answers choose the images, and enter the fit of a last layer."
REFITS: Mapping[str, str] = {
    **dict.fromkeys(("afr", "self", "evals", "xrm"), _LAST_LAYERS),
    "class-balanced": "Take l2 with its option class_balanced.",
}
METHODS: Mapping[str, str] = {
    **dict.fromkeys(("afr", "afr-train-fifth", "self", "self-train-fifth", "evals", "evals-train-fifth"), _LAST_LAYERS),
    **dict.fromkeys(("xrm", "xrm-train", "xrm-train-fifth"), _LAST_LAYERS),
    **dict.fromkeys(("class-balanced-last-layer", "class-balanced-last-layer-train-fifth"), "Take class-balanced."),
    "erm-converged": "Take erm, which is trained until it stops improving.",
    **dict.fromkeys(("erm-same-steps", "erm-retrained"), "Take erm; benchmarks/methods.py registers ablations."),
    "rwy": "Take class-balanced.",
    "subg": "Take oracle, which balances true groups too.",
    **dict.fromkeys(("dfr-train-fifth", "dfr-environments"), "Take dfr, which is fitted on validation."),
    **dict.fromkeys(("slim-once", "slim-on-validation", "slim-best-of-seven"), _ANSWERS),
    **dict.fromkeys(("slim-attention-loss", "slim-val-answers", "slim-attention-loss-val-answers"), _ANSWERS),
    **dict.fromkeys(("slim-environments", "slim-environment-groups", "slim-images-and-environments"), _ANSWERS),
    "slim-no-answers-on-validation": "Take slim-no-answers.",
    "random-attention-loss": "Take random.",
    "group-dro-environments": "Take group-dro.",
}
OBJECTIVES: Mapping[str, str] = {"answered-attention": _ANSWERS}
VALUES: Mapping[tuple[str, str], str] = {  # (field, value) of a step
    ("selection", "wrong_attention"): "Take worst_class, or worst_group where the groups of validation are known.",
    ("strategy", "subg"): METHODS["subg"],
}
TRAINING: Mapping[str, str] = {  # fields of a training
    "accumulation": "Take a smaller batch_size, with a learning rate that is smaller by as much.",
    "augment": "Take augmentation=none.",
    "class_weights": "Take sampling=class-balanced.",
    "deterministic": "Nothing: train on the CPU where each bit must be the same.",
    "environments": "Nothing: the attribute column of the data makes the groups.",
    "fitted_on": "Nothing: dfr is fitted on validation images, every other refit on training images.",
    "hold_out": "Nothing: every refit is fitted on training images, or on those of validation.",
    "gamma": "Take schedule=step, which falls to a fifth after three quarters of the epochs.",
    "milestones": "Take schedule=step, which falls to a fifth after three quarters of the epochs.",
    "momentum": "Nothing: that of SGD is 0.9.",
    "precision": "Nothing: a GPU trains in bfloat16 where it computes in that, and all else in float32.",
    "selection_options": "Nothing: no selection has options.",
    "trainable": "Take mode=last-layer.",
    "warmup_epochs": "Nothing: a smaller learning rate serves.",
}
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
_OF_LEASE = "It follows SLIM_LEASE_S, which is 30 by default:"
SETTINGS: Mapping[str, str] = {
    "SLIM_ALLOWED_HOSTS": "SLIM_PUBLIC_URL=https://slim.example,http://slim.lab takes several addresses.",
    "SLIM_CPU_WORKERS": "`python -m workers --cpu N` says how many processes compute on the CPU.",
    "SLIM_HUNG_AFTER_S": f"{_OF_LEASE} a job without progress is ended after 30 leases.",
    "SLIM_JOB_TIMEOUT_S": "Nothing: a job may take seven days, and `slim stop RUN` ends it before.",
    "SLIM_LEAST_FREE_MB": "Nothing: workers start no run while less than 50 MB are free.",
    "SLIM_LOG_FORMAT": "Nothing: the log is text, and a line about a run names it.",
    "SLIM_MAX_PIXELS": "Nothing: images of more than 50 million pixels are refused; make them smaller.",
    "SLIM_RENDEZVOUS": "SLIM_MACHINES=2@first:29400 says how many machines share a training, and where they meet.",
    "SLIM_RENEW_S": f"{_OF_LEASE} a job renews it three times.",
    "SLIM_SHARD_IMAGES": "Nothing: a pass over more than 20,000 images is split into shards.",
    "SLIM_STOP_GRACE_S": f"{_OF_LEASE} a job that does not stop is killed after a tenth of it.",
}
