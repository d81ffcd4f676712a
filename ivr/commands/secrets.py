"""`ivr secrets`: new passwords, without a call lost."""

from __future__ import annotations

from typing import Annotated

import typer

from ivr.commands.terminal import OUT, plan_of
from ivr.settings import Settings

secrets_app = typer.Typer(help="The passwords of this installation.", no_args_is_help=True)
rotate_app = typer.Typer(help="Make new passwords; the former ones stay accepted until `retire`.", no_args_is_help=True)
secrets_app.add_typer(rotate_app, name="rotate")

Now = Annotated[bool, typer.Option("--now", help="The former password is refused from the next reload on (a theft).")]


@rotate_app.command("ari")
def rotate_ari(*, now: Now = False) -> None:
    """A new password between the worker and Asterisk."""
    from ivr.provision.secrets import Secrets  # noqa: PLC0415 - each command imports what it needs

    Secrets.load_or_create(Settings().secrets_file).rotate_ari(keep=not now)
    OUT.print("ARI has a new password.")
    _next_steps(now=now)


@rotate_app.command("agents")
def rotate_agents(
    agents: Annotated[list[str] | None, typer.Argument(help="Agents' ids, as in agents.yaml.")] = None,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="Every agent of the call plan.")] = False,
    now: Now = False,
) -> None:
    """New SIP passwords of agents, printed as they are to be typed into the phones."""
    from ivr.errors import IvrError  # noqa: PLC0415
    from ivr.provision.credentials import print_credentials  # noqa: PLC0415
    from ivr.provision.secrets import Secrets  # noqa: PLC0415

    settings = Settings()
    plan = plan_of(settings)
    if everybody == bool(agents):
        raise IvrError("whose passwords? Name agents, or say --all")
    chosen = {name: agent for name, agent in plan.agents.items() if everybody or name in (agents or [])}
    if strangers := sorted(set(agents or []) - set(chosen)):
        raise IvrError(f"{', '.join(strangers)}: no such agent in {settings.plan}; `ivr agents list` has their ids")
    secrets = Secrets.load_or_create(settings.secrets_file)
    secrets.rotate_agents(chosen, keep=not now)
    print_credentials(OUT, chosen.values(), secrets)
    _next_steps(now=now)


@secrets_app.command("retire")
def retire() -> None:
    """Have the passwords before the last rotation refused."""
    from ivr.provision.secrets import Secrets  # noqa: PLC0415

    retired = Secrets.load_or_create(Settings().secrets_file).retire()
    if not retired:
        OUT.print("No former password is accepted.")
        return
    OUT.print(f"Refused from the next reload on: the former password of {', '.join(retired)}.")
    _next_steps(now=True)


def _next_steps(*, now: bool) -> None:
    OUT.print("To bring it into force, with no call lost: render Asterisk's configuration and reload it")
    OUT.print("  (docs/security.md, section Secrets, has the lines for systemd and for Docker).")
    if not now:
        OUT.print("Until `ivr secrets retire` both passwords are accepted, the new one and the former.")
