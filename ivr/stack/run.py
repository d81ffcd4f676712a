"""`make run`: the whole switchboard on one machine until Ctrl-C.

This process is the parent of Asterisk and Redis, and restarts the worker when it dies: a
crash of the worker ends no call.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from ivr.prompts.studio import make_sounds
from ivr.provision.credentials import print_credentials
from ivr.publish.serving import serving
from ivr.stack.errors import StackError, ungrouped
from ivr.stack.root import ensure_root
from ivr.stack.stack import Stack, StackConfig
from ivr.stack.worker import WorkerProcess

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from ivr.settings import Settings
    from ivr.stack.root import Root

AGAIN_S: Final = 1.0


def main(settings: Settings) -> int:
    """Run everything until Ctrl-C or SIGTERM; return the exit status."""
    console = Console(highlight=False)
    root = ensure_root()
    served = serving(settings.state_dir, settings.plan)
    if served.note:
        console.print(f"[yellow]{served.note}[/yellow]", soft_wrap=True)
    with served.folder() as folder:
        make_sounds(folder, Path(settings.sounds), console)
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(_run(settings, served.plan, root, console))
    console.print("stopped")
    return 0


async def _run(settings: Settings, plan: Plan, root: Root, console: Console) -> None:
    running = asyncio.current_task()
    if running is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    state = settings.state_dir.absolute()
    config = StackConfig(
        plan=plan,
        prompts_dir=Path(settings.sounds).absolute(),
        state_dir=state,
        node=settings.node,
        sip_bind=settings.sip_bind,
        trunk_match=settings.trunk_match,
        root=root,
    )
    async with Stack(config) as stack:
        env = {
            **stack.env(),
            "IVR_PLAN": str(settings.plan.absolute()),
            "IVR_HTTP_BIND": settings.http_bind,
            "IVR_LOG_LEVEL": settings.log_level,
        }
        worker = WorkerProcess(env, stack.logs / "worker.log")
        try:
            await worker.start()
            await worker.ready()
            _tell(settings, plan, stack, root, console)
            with ungrouped():
                async with asyncio.TaskGroup() as group:
                    group.create_task(_keep(worker, console))
                    group.create_task(_watch(stack))
        finally:
            await worker.stop()


async def _keep(worker: WorkerProcess, console: Console) -> None:
    """Start the worker again whenever it ends; its calls are still in Asterisk."""
    while True:
        status = await worker.process.wait()
        console.print(f"[red]the worker ended with status {status}; starting it again[/red] (its log: {worker.log})")
        await asyncio.sleep(AGAIN_S)
        await worker.start()


async def _watch(stack: Stack) -> None:
    raise StackError(await stack.ended())


def _tell(settings: Settings, plan: Plan, stack: Stack, root: Root, console: Console) -> None:
    """Say how to be an agent, and how to call."""
    number = plan.numbers[0].replace("+33", "0", 1)
    print_credentials(console, plan.agents.values(), stack.secrets)
    console.print(f"domain and proxy  sip:{settings.sip_bind} (UDP or TCP)")
    trunk = settings.trunk_match.split(",")[0].strip().split("/")[0]
    console.print(
        f"a caller          chroot {shlex.quote(str(root.path))} sipp -sn uac -i {trunk} -s {number} -m 1 -d 20000 "
        f"{settings.sip_bind}",
        soft_wrap=True,
    )
    console.print(f"health            http://{settings.http_bind}/readyz, /metrics")
    console.print(
        f"publish an edit   IVR_REDIS_URL={stack.redis_url} {Path(sys.argv[0])} plan publish {settings.plan}",
        soft_wrap=True,
    )
    console.print(f"logs              {stack.logs}")
    console.print(f"[bold]{plan.name} answers at {number}; Ctrl-C ends it[/bold]")
