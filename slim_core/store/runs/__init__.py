"""Runs: their rows, their attempts, what they descend from, and the pipelines and shards they make up.

Public: rows (Run, Status), runs (Runs), attempts (Attempts), lineage (Lineage), pipelines (Pipeline, Pipelines),
history (of earlier runs), shards, states and kinds (the word lists of run states and kinds).
"""
