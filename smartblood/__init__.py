"""The shell: everything that touches the world, and the wiring."""

__version__ = "0.1.0"
