"""Does anything that is sent in get through, break something, or stay? ``python -m benchmarks.hostile``.

case.py says what a case is and how it is judged, studio.py starts what it is sent to, clients.py sends, watch.py
measures, and kinds/ holds the cases, one file a kind of input, each named in registry.py.
"""
