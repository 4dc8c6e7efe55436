"""Does anything that is sent in get through, break something, or stay? ``python -m benchmarks.hostile``.

case.py says what a case is and how it is judged, studio.py starts what it is sent to, ways_in.py sends, watch.py
measures. The cases: bad_files.py (one table of tables, images and weights), http.py (what hypothesis draws for the
routes of the app, and what no browser sends), terminal.py (commands, specs, settings), pages.py, redis_messages.py.
"""
