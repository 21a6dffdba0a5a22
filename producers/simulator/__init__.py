"""A seeded Kerala: donors, two years of giving and answering, requests, and answers to what the matcher offers.

What is true of a simulated donor and shown to nobody (their kind, how fast distance tires them, their fatigue) lies in
``population.Hidden`` and in ``history.Asks``; events carry only what real upstreams would know.
"""

from __future__ import annotations

from producers.simulator.history import History, simulate
from producers.simulator.live import LiveDonors
from producers.simulator.published import Published
from producers.simulator.requests import RequestSource, requests
from producers.simulator.world import World

__all__ = ["History", "LiveDonors", "Published", "RequestSource", "World", "requests", "simulate"]
