"""Runs of steps: what executes them, the whole loop, tracking, and a run as the command that repeats it.

Public: executor (open_workbench, Workbench, InProcess), execute (execute, record), loop_runs (LoopConfig),
trainings (first_training, usual_retraining), methods (METHODS, Loop), details (command, differences).
"""
