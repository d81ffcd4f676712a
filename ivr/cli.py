"""The command line: `ivr --help`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ivr.commands.explain import explain
from ivr.commands.files import files_app
from ivr.commands.privacy import privacy_app
from ivr.errors import IvrError
from ivr.plan.faults import Fault
from ivr.settings import Settings

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
app.add_typer(privacy_app, name="privacy")
app.command("explain")(explain)

PlanFolder = Annotated[Path | None, typer.Argument(help="Folder of the call plan; default: IVR_PLAN.")]
_out = Console()
_err = Console(stderr=True)


def main() -> None:
    """Run the command line; an error that a person can act on is one sentence and exit 1."""
    try:
        app()
    except IvrError as error:
        _err.print(f"[red]error:[/red] {error}", highlight=False)
        raise SystemExit(1) from None


@app.command()
def check(
    plan: PlanFolder = None,
    language: Annotated[str, typer.Option(help="fr or en")] = "fr",
    prompts: Annotated[
        Path | None, typer.Option(help="Folder of built prompts: also check that every one is there.")
    ] = None,
) -> None:
    """Say everything that is wrong with a call plan, with file, line and column. Exit 0 or 1."""
    from ivr.plan import format_faults, load  # noqa: PLC0415 - each command imports what it needs: `ivr --help` is quick

    loaded = load(plan or Settings().plan)
    if loaded.faults:
        _out.print(format_faults(loaded.faults, language), highlight=False, markup=False, soft_wrap=True)
    errors = [fault for fault in loaded.faults if fault.severity == "error"]
    missing: list[Fault] = []
    if prompts is not None and loaded.plan is not None:
        from ivr.prompts import missing as without_sound  # noqa: PLC0415

        missing = without_sound(loaded, prompts)
        _out.print(format_faults(missing, language), highlight=False, markup=False, soft_wrap=True)
    if loaded.plan is None or errors or missing:
        raise typer.Exit(1)
    made = loaded.plan
    _out.print(
        f"{made.name}: {len(made.menus)} menus, {len(made.topics)} topics, {len(made.groups)} groups, "
        f"{len(made.agents)} agents, {len(made.prompts)} prompts: ok",
        highlight=False,
    )


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
    """Take the full figures, about half an hour; figures in .run/proof.json. Run again, it goes on where it was."""
    from ivr.lab.proof import main as prove  # noqa: PLC0415

    raise typer.Exit(prove())


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
    plan: PlanFolder = None,
    out: Annotated[Path | None, typer.Option(help="Default: prompts/ in the state folder.")] = None,
) -> None:
    """Make the audio of every sentence of a plan: recorded, else Piper, else pico."""
    from ivr.prompts.studio import make_sounds  # noqa: PLC0415

    settings = Settings()
    folder = out or settings.state_dir / "prompts"
    report = make_sounds(plan or settings.plan, folder, _err)
    for made in report.languages:
        _out.print(
            f"{folder}/{made.language}: {len(made.prompts)} sounds, {made.made} made now, {made.recorded} recorded",
            highlight=False,
        )


@asterisk_app.command("render")
def asterisk_render(
    out: Annotated[Path, typer.Option(help="Folder that receives the .conf files.")],
) -> None:
    """Write Asterisk's configuration: asterisk-config/ with the plan's numbers and agents."""
    from ivr.plan import load_or_raise  # noqa: PLC0415
    from ivr.provision.render import RenderOptions, reload_of, render  # noqa: PLC0415
    from ivr.provision.secrets import Secrets  # noqa: PLC0415

    settings = Settings()
    secrets = Secrets.load_or_create(settings.secrets_file)
    sip_host, _, sip_port = settings.sip_bind.rpartition(":")
    rtp_start, _, rtp_end = settings.rtp_ports.partition("-")
    options = RenderOptions(
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
    )
    changed = render(load_or_raise(settings.plan)[0], secrets, options, out)
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
    print_credentials(_out, load_or_raise(plan or settings.plan)[0], secrets)


if __name__ == "__main__":
    main()
