"""Numbers: blood rules, donor index, feature vectors, ranking. Deterministic, without clock or I/O."""
