"""What every model of a plan's file is: unknown keys are errors, and what was read stays as it is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Unknown keys are errors; a value that was read never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
