"""Steps: a spec in, artifacts and metrics out; all of them by name.

Public: specs (STEPS, parse_spec, Spec, TrainSpec, GradcamSpec, PreviewSpec, SpaceSpec, CurateSpec,
EvaluateSpec), context (StepContext), train, passes, space, curate, evaluate.
"""
