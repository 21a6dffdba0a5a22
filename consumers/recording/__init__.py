"""What is kept of the events, as rows: pure projections, one module a family of topics.

A projection turns one event into rows that don't care what came before; ``folding`` makes of the rows of a batch one
for each key, so that a batch is a few statements in bulk. Whatever depends on which of two topics came first is
settled where the rows are written (``smartblood.storage``), in one place and under one lock.
"""
