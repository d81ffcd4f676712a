"""What an agent types into a softphone, as a table that a narrow terminal does not shorten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivr.core.plan import Agent
    from ivr.provision.secrets import Secrets


def print_credentials(console: Console, agents: Iterable[Agent], secrets: Secrets) -> None:
    """Print these agents' SIP users and passwords; what is copied is never cut, whatever the width."""
    table = Table("agent", "SIP user", "password", "groups", title="Softphones (Linphone, Zoiper …): one account each")
    for agent in agents:
        table.add_row(agent.name, agent.endpoint, secrets.agent_password(agent.id), ", ".join(agent.groups))
    wanted = Measurement.get(console, console.options.update(width=10_000), table).maximum
    Console(file=console.file, width=max(wanted, console.width)).print(table)
