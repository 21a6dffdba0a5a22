"""The whole way on one machine, to look at: a seeded Kerala, steady requests, matches as they come."""
