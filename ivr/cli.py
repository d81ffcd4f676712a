"""The command line: `ivr --help`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ivr.commands.check import check
from ivr.commands.coverage import coverage
from ivr.commands.drain import drain
from ivr.commands.explain import explain
from ivr.commands.files import files_app
from ivr.commands.graph import graph
from ivr.commands.hours import hours
from ivr.commands.month import month_app
from ivr.commands.plan import plan_app
from ivr.commands.privacy import privacy_app
from ivr.commands.secrets import secrets_app
from ivr.commands.simulate import simulate
from ivr.commands.states import crisis_app, force_app
from ivr.doctor.command import doctor
from ivr.errors import IvrError
from ivr.prove.command import prove
from ivr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ivr.core.codes import Code
    from ivr.core.plan import Plan
    from ivr.provision.options import RenderOptions
    from ivr.publish.serving import Serving

app = typer.Typer(
    help="Standardiste: the telephone switchboard of a town hall, on Asterisk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
prompts_app = typer.Typer(help="The sentences that callers hear.", no_args_is_help=True)
asterisk_app = typer.Typer(help="The Asterisk that we drive.", no_args_is_help=True)
agents_app = typer.Typer(help="The people who answer.", no_args_is_help=True)
app.add_typer(prompts_app, name="prompts")
app.add_typer(asterisk_app, name="asterisk")
app.add_typer(agents_app, name="agents")
app.add_typer(files_app, name="files")
app.add_typer(month_app, name="month")
app.add_typer(plan_app, name="plan")
app.add_typer(crisis_app, name="crisis")
app.add_typer(force_app, name="force")
app.add_typer(privacy_app, name="privacy")
app.add_typer(secrets_app, name="secrets")
app.command("check")(check)
app.command("hours")(hours)
app.command("explain")(explain)
app.command("graph")(graph)
app.command("drain")(drain)
app.command("simulate")(simulate)
app.command("coverage")(coverage)
app.command("doctor")(doctor)
app.command("prove")(prove)

AgentName = Annotated[str, typer.Argument(help="Identifiant ou nom d'un agent.")]
PlanFolder = Annotated[Path | None, typer.Argument(help="Folder of the call plan; default: IVR_PLAN.")]
ServedFolder = Annotated[
    Path | None, typer.Argument(help="Folder of the call plan; default: what is published, else IVR_PLAN.")
]
_out = Console()
_err = Console(stderr=True)


def main() -> None:
    """Run the command line; an error that a person can act on is one sentence and exit 1."""
    try:
        app()
    except IvrError as error:
        word = "erreur :" if getattr(error, "language", "en") == "fr" else "error:"
        _err.print(f"[red]{word}[/red] {error}", highlight=False)
        raise SystemExit(1) from None


@app.command()
def settings() -> None:
    """Print every setting, its default and its meaning, as a Markdown table."""
    from ivr.settings import table  # noqa: PLC0415

    _out.print(table(), highlight=False, markup=False, soft_wrap=True, end="")


@app.command()
def serve() -> None:
    """Run one worker against the Asterisk and the Redis of the settings."""
    from ivr.app import serve as run_worker  # noqa: PLC0415

    run_worker(Settings())


@app.command()
def run() -> None:
    """Run everything: a private Asterisk and Redis, and a worker that is restarted when it dies."""
    from ivr.stack.run import main as run_everything  # noqa: PLC0415

    raise typer.Exit(run_everything(Settings()))


@app.command()
def demo() -> None:
    """Show real SIP calls through the whole line, told live; figures in .run/demo.json."""
    from ivr.lab.demo import main as play  # noqa: PLC0415

    raise typer.Exit(play())


@app.command()
def bench(
    *, quick: Annotated[bool, typer.Option(help="Some minutes instead of a quarter of an hour.")] = False
) -> None:
    """Measure what a call costs, beside Asterisk's own Read() and Queue(); figures in .run/bench.json."""
    from ivr.lab.bench import main as measure  # noqa: PLC0415

    raise typer.Exit(measure(quick=quick))


@app.command()
def proof() -> None:
    """Take the full figures, up to an hour; figures in .run/proof.json. Run again, it goes on where it was."""
    from ivr.lab.proof import main as prove  # noqa: PLC0415

    raise typer.Exit(prove())


@app.command()
def chaos(
    *,
    faults: Annotated[str, typer.Option(help="Only these, by name: worker-kill,redis-restart.")] = "",
    kills: Annotated[int | None, typer.Option(min=1, help="So many random kills instead of the list.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random kills: the same seed, the same kills.")] = 7,
    small: Annotated[bool, typer.Option(help="A load for a weak machine; never the proof.")] = False,
) -> None:
    """Do faults to the line under load, one after another; figures in .run/chaos.json. Run again, it goes on."""
    from ivr.lab.chaos import main as trouble  # noqa: PLC0415

    names = [name.strip() for name in faults.split(",") if name.strip()]
    raise typer.Exit(trouble(faults=names, kills=kills, seed=seed, small=small))


@app.command()
def replay(recording: Path, plan: PlanFolder = None) -> None:
    """Run a call's recording again on the core, and tell what it did. Exit 1 where it does otherwise than it did."""
    from ivr.plan import load_or_raise  # noqa: PLC0415
    from ivr.telephony.recorder import replay as run_again  # noqa: PLC0415

    table = Table("ms", "input", "state", "effects")
    first: int | None = None
    same = True
    for turn in run_again(recording, load_or_raise(plan or Settings().plan)[0]):
        first = turn.now if first is None else first
        same &= turn.same
        did = "\n".join(str(effect) for effect in turn.effects)
        if not turn.same:
            did += "\n[red]it was:[/red] " + ("\n".join(turn.did) if turn.did is not None else "an error")
        table.add_row(str(turn.now - first), str(turn.happened), type(turn.call.phase).__name__, did)
    _out.print(table)
    if not same:
        raise typer.Exit(1)


@prompts_app.command("build")
def prompts_build(
    plan: ServedFolder = None,
    out: Annotated[Path | None, typer.Option(help="Default: IVR_SOUNDS_DIR.")] = None,
) -> None:
    """Make the audio of every sentence of a plan: recorded, else Piper, else pico."""
    from ivr.prompts.studio import make_sounds  # noqa: PLC0415

    settings = Settings()
    folder = out or Path(settings.sounds)
    if plan is not None:
        report = make_sounds(plan, folder, _err)
    else:
        with _served(settings).folder() as served:
            report = make_sounds(served, folder, _err)
    for made in report.languages:
        _out.print(
            f"{folder}/{made.language}: {len(made.prompts)} sounds, {made.made} made now, {made.recorded} recorded",
            highlight=False,
        )


def _served(settings: Settings) -> Serving:
    """Return what this machine serves; where the draft is another, say so."""
    from ivr.publish.serving import serving  # noqa: PLC0415

    found = serving(settings.state_dir, settings.plan)
    if found.note:
        _err.print(f"[yellow]{found.note}[/yellow]", highlight=False, soft_wrap=True)
    return found


def _render_options(settings: Settings) -> RenderOptions:
    """Return what Asterisk is told besides the plan; ProvisionError says which setting is at fault."""
    from ivr.provision.render import RenderOptions, Tls, TrunkRegistration, peers_of  # noqa: PLC0415

    sip_host, _, sip_port = settings.sip_bind.rpartition(":")
    rtp_start, _, rtp_end = settings.rtp_ports.partition("-")
    server, user = settings.trunk_register, settings.trunk_register_user
    account = settings.trunk_register_as or f"sip:{user}@{server.removeprefix('sip:')}"
    return RenderOptions(
        node=settings.node,
        app=settings.app,
        sip_host=sip_host,
        sip_port=int(sip_port),
        rtp_start=int(rtp_start),
        rtp_end=int(rtp_end),
        trunk_match=settings.trunk_match,
        http_port=settings.ari_port,
        sounds_dir=settings.sounds,
        ari_user=settings.ari_user,
        agent_media=settings.agent_media,
        tls=Tls(settings.tls_port, settings.tls_cert, settings.tls_key)
        if settings.tls_cert or settings.tls_key
        else None,
        registration=TrunkRegistration(server, account, user, settings.trunk_register_password) if server else None,
        peers=peers_of(settings.peers),
    )


@asterisk_app.command("render")
def asterisk_render(
    out: Annotated[Path, typer.Option(help="Folder that receives the .conf files.")],
    plan: ServedFolder = None,
) -> None:
    """Write Asterisk's configuration: asterisk-config/ with the plan's numbers and agents."""
    from ivr.plan import load_or_raise  # noqa: PLC0415
    from ivr.provision.render import reload_of, render  # noqa: PLC0415
    from ivr.provision.secrets import Secrets  # noqa: PLC0415

    settings = Settings()
    options = _render_options(settings)
    secrets = Secrets.load_or_create(settings.secrets_file)
    made = load_or_raise(plan)[0] if plan is not None else _served(settings).plan
    changed = render(made, secrets, options, out)
    for path in changed:
        _out.print(f"written {path}", highlight=False)
    reload = reload_of(changed, options)
    if reload.commands:
        _out.print("to load them without touching a call:", highlight=False)
    for command in reload.commands:
        _out.print(f"  asterisk -rx '{command}'", highlight=False)
    if reload.restart:
        _out.print(f"these wait for a restart of Asterisk: {', '.join(reload.restart)}", highlight=False)


@agents_app.command("credentials")
def agents_credentials(plan: PlanFolder = None) -> None:
    """Print each agent's SIP user and password."""
    from ivr.plan import load_or_raise  # noqa: PLC0415
    from ivr.provision.credentials import print_credentials  # noqa: PLC0415
    from ivr.provision.secrets import Secrets  # noqa: PLC0415

    settings = Settings()
    secrets = Secrets.load_or_create(settings.secrets_file)
    print_credentials(_out, load_or_raise(plan or settings.plan)[0].agents.values(), secrets)


@agents_app.command("list")
def agents_list(
    *, as_json: Annotated[bool, typer.Option("--json", help="Pour un programme : une liste JSON.")] = False
) -> None:
    """Tous les agents : état, depuis quand, retour prévu, poste, équipes."""
    import asyncio  # noqa: PLC0415
    import json  # noqa: PLC0415

    from ivr.desk import agents  # noqa: PLC0415
    from ivr.desk.link import in_words, linked  # noqa: PLC0415

    async def read() -> None:
        async with linked(Settings()) as link:
            found = agents.rows(link.plan, await link.dump())
            if as_json:
                _out.print_json(json.dumps(agents.as_json(link.plan, found), ensure_ascii=False))
            else:
                _out.print(agents.table(link.plan, found, link.queue.clock()), highlight=False)

    with in_words():
        asyncio.run(read())


@agents_app.command("pause")
def agents_pause(
    agent: AgentName,
    reason: Annotated[str, typer.Option(help="Raison, telle qu'en donne outcomes.yaml.")],
    until: Annotated[str | None, typer.Option(help="Retour à cette heure : 14:00.")] = None,
    lasting: Annotated[str | None, typer.Option("--for", help="Pour cette durée : 45m.")] = None,
) -> None:
    """Mettre un agent en pause ; sans --until ni --for, pour la durée habituelle de la raison."""
    from ivr.desk import agents, words  # noqa: PLC0415

    def said(plan: Plan, now: int) -> tuple[Code, str]:
        pause = agents.pause(plan, reason, now=now, until=until, lasting=lasting)
        return pause, f"en pause ({pause.reason.label}) jusqu'à {words.clock(now + pause.reason.length_ms)}"

    _say(agent, said)


@agents_app.command("resume")
def agents_resume(agent: AgentName) -> None:
    """Faire revenir un agent : il reçoit de nouveau les appels."""
    from ivr.core.codes import Ready  # noqa: PLC0415

    _say(agent, lambda _plan, _now: (Ready(), "reçoit les appels"))


@agents_app.command("outcome")
def agents_outcome(
    agent: AgentName,
    code: Annotated[str, typer.Argument(help="Résultat, par son nom ou sa touche.")],
    to: Annotated[str | None, typer.Option(help="Motif que l'appelant aurait dû avoir.")] = None,
) -> None:
    """Noter le résultat du dernier appel d'un agent."""
    from ivr.desk import agents  # noqa: PLC0415

    def said(plan: Plan, _now: int) -> tuple[Code, str]:
        outcome = agents.outcome(plan, code, to)
        whither = f", vers « {plan.topics[outcome.to].label} »" if outcome.to is not None else ""
        return outcome, f"dernier appel noté « {outcome.outcome.label} »{whither}"

    _say(agent, said)


@agents_app.command("extend")
def agents_extend(agent: AgentName) -> None:
    """Prolonger le temps d'un agent après l'appel, d'autant, deux fois au plus."""
    from ivr.core.codes import Longer  # noqa: PLC0415

    _say(agent, lambda _plan, _now: (Longer(), "temps après l'appel prolongé"))


def _say(given: str, said: Callable[[Plan, int], tuple[Code, str]]) -> None:
    """Say something on an agent's behalf, and print what became of it."""
    import asyncio  # noqa: PLC0415

    from ivr.desk import agents  # noqa: PLC0415
    from ivr.desk.link import in_words, linked  # noqa: PLC0415

    async def tell() -> str:
        async with linked(Settings()) as link:
            agent = agents.agent_of(link.plan, given)
            await link.dump()
            code, done = said(link.plan, link.queue.clock())
            await agents.say(link, agent, code)
            return f"{agent.name} : {done}."

    with in_words():
        _out.print(asyncio.run(tell()), highlight=False, soft_wrap=True)


@app.command()
def top(*, once: Annotated[bool, typer.Option(help="Une seule image, puis fin.")] = False) -> None:
    """Le tableau de bord en direct : files d'attente, agents, conversations. Ctrl-C pour finir."""
    import asyncio  # noqa: PLC0415
    import contextlib  # noqa: PLC0415

    from ivr.desk.top import top as show  # noqa: PLC0415

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(show(Settings(), _out, once=once))


if __name__ == "__main__":
    main()
