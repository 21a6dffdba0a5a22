"""The shell: everything that touches the world, and the wiring."""
