"""What the service counts, in the format of Prometheus.

Counting happens in the event loop alone, with plain numbers: the counters of the client library
lock, which would cost more than what is counted. They become its metrics when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import prometheus_client as prometheus
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

__all__ = ["MEDIA_TYPE", "Metrics"]

#: Content type of the metrics.
MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0)

#: Counter -> (what it counts, its labels).
_COUNTERS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "requests": ("Requests answered.", ("route", "status")),
    "calls": ("Requests let in, by name of the API key.", ("key",)),
    "sessions": ("Sessions, by what became of them.", ("outcome",)),
    "verdicts": ("Devices answered, by verdict.", ("verdict",)),
    "refused": ("Requests and connections refused.", ("why",)),
    "model_swaps": ("Times that another model took over.", ()),
    "refresh_failures": ("Looks at the model or the keys that failed.", ("what",)),
}


class _Times:
    """Times of one route: how many up to each bound, and their sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_SECONDS) + 1)
        self.sum = 0.0

    def buckets(self) -> Iterator[tuple[str, float]]:
        total = 0
        for bound, count in zip((*_SECONDS, float("inf")), self.counts, strict=True):
            total += count
            yield ("+Inf" if bound == float("inf") else repr(bound)), total


class Metrics(Collector):
    """Counters of one service; labels hold routes, statuses and names of keys, nobody's ids."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[tuple[str, ...], int]] = {
            name: defaultdict(int) for name in _COUNTERS
        }
        self._counts["model_swaps"][()] = 0
        self._requests = self._counts["requests"]
        self._sessions = self._counts["sessions"]
        self._verdicts = self._counts["verdicts"]
        self._times: dict[str, _Times] = defaultdict(_Times)
        self._model = "none"
        self._stale = False
        self.in_progress = 0
        self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer, and how long it took."""
        self._requests[route, str(status)] += 1
        times = self._times[route]
        times.counts[bisect_left(_SECONDS, seconds)] += 1
        times.sum += seconds

    def called(self, key: str) -> None:
        """Count a request that a key let in."""
        self._counts["calls"][(key,)] += 1

    def scored(self, accepted: int, rejected: int, verdicts: Iterable[str]) -> None:
        """Count the sessions and the devices of an answer."""
        self._sessions[("accepted",)] += accepted
        if rejected:
            self._sessions[("rejected",)] += rejected
        for verdict in verdicts:
            self._verdicts[(verdict,)] += 1

    def refused(self, why: str) -> None:
        """Count a request or connection that was refused before it was worked on."""
        self._counts["refused"][(why,)] += 1

    def failed(self, what: str) -> None:
        """Count a look at the model or the keys that failed."""
        self._counts["refresh_failures"][(what,)] += 1

    def model(self, label: str, *, swapped: bool) -> None:
        """Name the model that answers from now on."""
        self._model = label
        self._counts["model_swaps"][()] += swapped

    def stale(self, stale: bool) -> None:
        """Say whether the model may be older than the registry's."""
        self._stale = stale

    def collect(self) -> Iterator[Metric]:
        """All counters as the client library wants them."""
        for name, (told, labels) in _COUNTERS.items():
            family = CounterMetricFamily(f"household_ml_{name}", told, labels=labels)
            for values, count in list(self._counts[name].items()):
                family.add_metric(values, count)
            yield family
        model = GaugeMetricFamily(
            "household_ml_model", "The model that answers.", labels=("model",)
        )
        model.add_metric((self._model,), 1)
        yield model
        yield GaugeMetricFamily(
            "household_ml_model_stale",
            "1 while the registry does not answer and an older model does.",
            int(self._stale),
        )
        yield GaugeMetricFamily(
            "household_ml_requests_in_progress", "Requests in progress.", self.in_progress
        )
        seconds = HistogramMetricFamily(
            "household_ml_request_seconds",
            "Time from the headers of a request to its answer.",
            labels=("route",),
        )
        for route, times in list(self._times.items()):
            seconds.add_metric((route,), list(times.buckets()), times.sum)
        yield seconds

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return prometheus.generate_latest(self._registry)
