"""The scheduled producer: which slots there are, and which of them are due; no clock and no I/O here.

A *schedule* says when something is triggered, and what. Each time that its cron expression names is a *slot*, an
instant in UTC. A slot is *settled* once it was fired, or passed over by its schedule's policy; the memory of a schedule
is the last slot that is settled, so that clocks may go back, stand still or leap.
"""
