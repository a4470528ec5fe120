"""Worlds with known truth: people who live in places, carry devices and watch.

No label is drawn: people live somewhere, travel, visit, move and borrow, and a device belongs to
the household when its main user lives at the account's main home at the end.
"""

from household_ml.simulation.simulate import Simulated, biased_labels, simulate, write_world
from household_ml.simulation.world import WORLDS, World, named_world, parameter_table

__all__ = [
    "WORLDS",
    "Simulated",
    "World",
    "biased_labels",
    "named_world",
    "parameter_table",
    "simulate",
    "write_world",
]
