"""Demand by day: what a file says of the time before this system, and what the record says since."""
