"""What a step is asked for: one frozen model a kind, plain JSON, checked when built. Light: no torch, no store.

A spec names its data set and its parent runs by id, so that the same spec on the same inputs is the same run. Each
setting is written once, with its label, meaning and bounds: here, or in the config that computes with it (TrainConfig,
PassConfig, SpaceConfig, ClusterConfig, CurateOptions). The command line and the forms are made from it
(slim_core.parameters). What is not given to a training comes from slim_core.steps.train.recipes.
"""

from slim_core.steps.specs.curate import CurateSpec
from slim_core.steps.specs.evaluate import EvaluateSpec
from slim_core.steps.specs.passes import FeaturesSpec, GradcamSpec, PreviewSpec
from slim_core.steps.specs.space import CandidatesSpec, SpaceSpec
from slim_core.steps.specs.spec import INPUTS, SPEC_VERSION, Option, QueueName, Spec
from slim_core.steps.specs.train import OF_IMAGES, TrainSpec, is_probe, refits

__all__ = [
    "INPUTS",
    "OF_IMAGES",
    "SPEC_VERSION",
    "CandidatesSpec",
    "CurateSpec",
    "EvaluateSpec",
    "FeaturesSpec",
    "GradcamSpec",
    "Option",
    "PreviewSpec",
    "QueueName",
    "SpaceSpec",
    "Spec",
    "TrainSpec",
    "is_probe",
    "refits",
]
