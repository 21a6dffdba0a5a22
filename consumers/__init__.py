"""What one processor does to its records and its state: it decides, it never performs."""
