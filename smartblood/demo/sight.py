"""What the demo reads of the processors' metrics, as Prometheus would."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

TIMEOUT_S = 5.0


class Sight:
    """Reads samples from one address.

    Parameters
    ----------
    url : str
        Of the metrics, with or without ``/metrics``.
    """

    def __init__(self, url: str) -> None:
        address = url if "://" in url else f"http://{url}"
        self._url = address if address.endswith("/metrics") else f"{address.rstrip('/')}/metrics"

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels; 0 where there is none, or nobody answers."""
        return sum(sample.value for sample in self._samples() if sample.name == name and _has(sample.labels, labels))

    def _samples(self) -> list[Sample]:
        try:
            with urllib.request.urlopen(self._url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - an address of ours
                text = answer.read().decode()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return []
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())
