"""What the commands share: where they print, and the plan that gives things their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console

if TYPE_CHECKING:
    from rich.table import Column

    from ivr.core.plan import Plan
    from ivr.plan import Loaded
    from ivr.settings import Settings

OUT: Final = Console(highlight=False)
ERR: Final = Console(stderr=True, highlight=False)


def whole(title: str) -> Column:
    """A column whose words are never cut: ids and numbers are there to be copied."""
    from rich.table import Column  # noqa: PLC0415 - each command imports what it needs

    return Column(title, no_wrap=True, overflow="fold")


def plan_of(settings: Settings) -> Plan:
    """The call plan of the settings; PlanError tells every fault."""
    from ivr.plan import load_or_raise  # noqa: PLC0415 - each command imports what it needs

    return load_or_raise(settings.plan)[0]


def served_plan(settings: Settings) -> Plan:
    """The plan as this machine serves it, else that of the settings: what is published, whatever a draft says."""
    return served(settings)[0]


def served(settings: Settings) -> tuple[Plan, Loaded]:
    """The plan as this machine serves it and what came with it, else that of the settings."""
    from ivr.publish.serving import serving  # noqa: PLC0415 - each command imports what it needs

    found = serving(settings.state_dir, settings.plan)
    return found.plan, found.loaded
