"""`ivr crisis` and `ivr force`: what holds for a while whatever the plan says, and ends by itself."""

from __future__ import annotations

from typing import Annotated

import typer

crisis_app = typer.Typer(help="Le mode crise : message, menu et renforts, qui finissent d'eux-mêmes.")
force_app = typer.Typer(help="Ouvrir ou fermer malgré les horaires, jusqu'à une heure dite.", no_args_is_help=True)

Until = Annotated[str, typer.Option(help="Jusqu'à : 14:30, « 2026-03-01 08:00 », ou une durée : 2 h, 45 min.")]
By = Annotated[str, typer.Option(help="Qui le décide ; par défaut l'utilisateur de la machine.")]
Reason = Annotated[str, typer.Option(help="Pourquoi ; le journal et les écrans le montrent.")]
Which = Annotated[str, typer.Option(help="Ces horaires seulement (hours.yaml) ; sinon tout le site.")]


@crisis_app.callback(invoke_without_command=True)
def crisis(context: typer.Context) -> None:
    """Dire si une crise est en cours, et ce qui est forcé."""
    from ivr.commands import forcing  # noqa: PLC0415 - each command imports what it needs

    if context.invoked_subcommand is None:
        forcing.show()


@crisis_app.command("on")
def crisis_on(
    profile: Annotated[str, typer.Argument(help="Le profil, tel que crisis.yaml le nomme.")],
    until: Until = "",
    by: By = "",
) -> None:
    """Entrer en crise ; sans --until, pour la durée du profil. Répété, la durée recommence."""
    from ivr.commands import forcing  # noqa: PLC0415

    forcing.begin_crisis(profile, until, by)


@crisis_app.command("off")
def crisis_off() -> None:
    """Sortir de la crise."""
    from ivr.commands import forcing  # noqa: PLC0415

    forcing.end_crisis()


@crisis_app.command("pin")
def crisis_pin() -> None:
    """Le code à composer d'un poste, et le jeton HTTP : à garder pour soi."""
    from ivr.commands import forcing  # noqa: PLC0415

    forcing.pin()


@force_app.command("closed")
def force_closed(until: Until, reason: Reason, hours: Which = "", by: By = "") -> None:
    """Fermer malgré les horaires."""
    from ivr.commands import forcing  # noqa: PLC0415

    forcing.force(until, reason, hours, by, is_open=False)


@force_app.command("open")
def force_open(until: Until, reason: Reason, hours: Which = "", by: By = "") -> None:
    """Ouvrir malgré les horaires."""
    from ivr.commands import forcing  # noqa: PLC0415

    forcing.force(until, reason, hours, by, is_open=True)


@force_app.command("end")
def force_end(hours: Which = "") -> None:
    """Revenir aux horaires."""
    from ivr.commands import forcing  # noqa: PLC0415

    forcing.end_force(hours)
