"""The queue: which run is next, whether anything is, and how long it takes.

Public: queue (Queue), order, pause (Pause).
"""
