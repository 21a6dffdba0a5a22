"""Names of the maintenance that there is: a ``maintenance-triggered`` says no more than its schedule's name."""

RELIABILITY = "nightly-reliability"
RETENTION = "daily-retention"
MAINTENANCE = (RELIABILITY, RETENTION)
