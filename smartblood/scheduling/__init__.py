"""Performing what ``producers.scheduling`` decides: a clock, an election, transactions; and the same by hand."""
