"""A study: sets, methods, seeds and annotators in one file, every combination computed once.

Public: spec (Study, read_study), cases (Case, cases), sets (with_models, as_kept), run (run_study).
"""
