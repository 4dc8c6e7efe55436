"""Steps: a spec in, artifacts and metrics out; one registry.

Public: registry (STEPS, parse_spec), specs (Spec, TrainSpec, GradcamSpec, PreviewSpec, SpaceSpec,
CurateSpec, EvaluateSpec), context (StepContext), recipes (recipe), train, passes, space, curate, evaluate.
"""
