"""Plain events by the batch: decoded into columns, and folded by kernels into donors who stay bytes.

What a donor is, does and counts for is said by the modules beside this package, in objects; whatever is rare is theirs
alone (deferrals, erasures, late profiles, old layouts, more than there is room for). What is said here again is what
nearly all events need, for the sake of speed (docs/adr/0026), and a test holds the two together byte by byte.

``plain`` and ``bodies`` read events into columns, and ``event`` is one of them as others see it; ``columns`` brings
them together by donor. ``folding`` runs over a batch's donors: ``laying`` lays one out on the ``desk``, ``ids``,
``folds`` and ``sums`` fold its events in, ``writing`` and ``record`` write what it has become.
"""
