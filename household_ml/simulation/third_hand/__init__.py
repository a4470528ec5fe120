"""Worlds by a third author, from first principles of how people live and networks give addresses.

Lives are painted as a table of people by nights; people sit down to watch and choose a screen that
stands where they are; lines get addresses from gateways of towns that are rebuilt, reconnect by the
clock or lose leases, and public places, kin's homes and carrier NATs are the same ones for all
accounts. Nothing in it was learnt from the other simulators. All rates are assumptions or rough
pictures of markets: what a model reaches here is about this simulation.
"""

from household_ml.simulation.third_hand.rates import KINDS
from household_ml.simulation.third_hand.world import make_world

__all__ = ["KINDS", "make_world"]
