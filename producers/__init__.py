"""Where records come from, as iterators."""
