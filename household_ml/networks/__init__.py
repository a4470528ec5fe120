"""What an address is: its AS and operator, its prefixes, and what was seen on its networks."""

from household_ml.networks.enrich import EnrichedSessions, enrich
from household_ml.networks.ladder import LEVELS, prefix, prefix_keys, prefixes
from household_ml.networks.operators import (
    Operator,
    catalogue,
    connection_type_of,
    operator_name,
    operator_of,
)
from household_ml.networks.statistics import NetworkCounts, NetworkStatistics
from household_ml.networks.table import NetworkTable

__all__ = [
    "LEVELS",
    "EnrichedSessions",
    "NetworkCounts",
    "NetworkStatistics",
    "NetworkTable",
    "Operator",
    "catalogue",
    "connection_type_of",
    "enrich",
    "operator_name",
    "operator_of",
    "prefix",
    "prefix_keys",
    "prefixes",
]
