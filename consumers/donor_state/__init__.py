"""Donor state: registrations, donations and responses become ``donor-states``.

``donor`` is what is remembered of one donor; ``profiles``, ``donations``, ``deferrals``, ``responses`` and ``erasure``
fold one kind of statement into it; ``counted`` and ``decayed`` keep what counts in rates; ``repeats`` tells an event
that came before; ``memory`` turns it into bytes and back (``earlier_layouts``: from those of releases before),
``projection`` into the record that others read; ``processor`` runs them over batches.

What is remembered is a function of the set of events, not of their order: maxima by (``occurred_at``, ``event_id``),
unions, and sums of integers. So that a late erasure can take back what was stated at or before its instant, a fact is
kept together with the latest instant at which it was stated; what counts in rates is kept one by one for as long as
events may be late.
"""

from consumers.donor_state.processor import DonorState

__all__ = ["DonorState"]
