"""How far is it from an empty home to a verdict on one's own data? A real Chromium goes the whole way, three times.

Parts: folders (the three data sets of somebody's own), person (a browser that counts what it does), journey (the way).
"""
