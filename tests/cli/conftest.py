"""The small world and the small model."""

from tests.small_world import (  # noqa: F401
    model_folder,
    scorer,
    sessions,
    simulated,
    world_folder,
)
