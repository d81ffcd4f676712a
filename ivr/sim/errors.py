"""What a simulation cannot do, as sentences for who asked for it."""

from __future__ import annotations

from ivr.errors import IvrError


class SimulationError(IvrError):
    """The simulation asked for cannot be run; the sentence says why and what to do."""
