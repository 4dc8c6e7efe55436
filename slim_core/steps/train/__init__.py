"""The step that trains: a network, from a model or anew, or its last layer alone; and what is refused before it begins.

Public: step (run), recipes.
"""
