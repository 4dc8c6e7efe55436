"""One training shared by several processes, one a device (docs/decisions/0010). Light: no torch.

Public: launch (train_in_processes), team (Team, ALONE), pdeath (die_with_parent, bound).
"""
