"""Does it work? Worst-group accuracy of SLIM beside what people would use instead, over sets, seeds and annotators.

studies (what is compared), cases (one row each, kept in benchmarks/results/accuracy), compute (what is not there yet),
tables (the numbers of docs/benchmark.md and the README).
"""
