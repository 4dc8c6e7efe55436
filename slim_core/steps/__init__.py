"""Steps: a spec in, artifacts and metrics out; one file or folder a kind of run, and one registry.

Public: registry (STEPS, parse_spec), specs (Spec, TrainSpec, GradcamSpec, PreviewSpec, FeaturesSpec, SpaceSpec,
CurateSpec, EvaluateSpec), context (StepContext), train, answers, curate.
"""
