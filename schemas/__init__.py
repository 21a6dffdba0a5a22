"""Contracts: the shapes that outlive a process, and how they are read and written."""
