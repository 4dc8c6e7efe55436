"""Runs of steps: what executes them, the whole loop, tracking, and a run as the command that repeats it.

Public: executor (open_workbench, Workbench, InProcess), execute (execute, record), whole_loop (Loop), loop_runs
(LoopConfig), trainings (first_training, usual_retraining), methods (METHODS), resolve, commands (command), differences.
"""
