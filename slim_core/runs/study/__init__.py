"""A study: sets, methods, seeds and annotators in one file, every combination computed once.

Public: spec (Study, read_study), cases (Case, cases), run (run_study).
"""
