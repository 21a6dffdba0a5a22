"""How models are made: events are simulated, replayed through the stream's own code, fitted, calibrated, judged.

The only place where anything is fitted.
"""
