"""Two Asterisk nodes of one site, with a worker and phones each, on one Redis and one ledger."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ivr.lab.house import House
from ivr.lab.scenes import until
from ivr.provision.render import Peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from ivr.core.plan import Plan
    from ivr.provision.render import RenderOptions
    from ivr.stack.stack import StackConfig

NODE_A: Final = "127.0.0.11"
NODE_B: Final = "127.0.0.12"
QUALIFY_S: Final = 1
_MET_S: Final = 20.0


@contextlib.asynccontextmanager
async def two_nodes(
    plan: Plan,
    plan_dir: Path,
    prompts_dir: Path,
    env: Mapping[str, str] | None = None,
    amend: Callable[[Path], None] | None = None,
) -> AsyncIterator[tuple[House, House]]:
    """Nodes a and b, each a whole house, from the moment that they can call each other."""

    def knows(node: str, host: str) -> Callable[[RenderOptions], RenderOptions]:
        # One port for both: what one stack has taken, it has taken on every address.
        return lambda options: replace(options, qualify_s=QUALIFY_S, peers=(Peer(node, host, options.sip_port),))

    def first(config: StackConfig) -> StackConfig:
        return replace(config, sip_bind=f"{NODE_A}:0", adjust=knows("b", NODE_B), amend=amend)

    async with House(plan, plan_dir, prompts_dir, env, shape=first) as a:

        def second(config: StackConfig) -> StackConfig:
            where = f"{NODE_B}:{a.stack.sip_port}"
            return replace(config, node="b", sip_bind=where, adjust=knows("a", NODE_A), amend=amend, beside=a.stack)

        async with House(plan, plan_dir, prompts_dir, env, shape=second) as b:
            await met(a, "b")
            await met(b, "a")
            yield a, b


async def met(house: House, peer: str) -> None:
    """Return once a house knows that it can reach that node."""

    async def reachable() -> bool:
        contacts = await house.stack.asterisk_cli("pjsip show contacts")
        return re.search(rf"^ +Contact: +node-{peer}/.* Avail ", contacts, re.MULTILINE) is not None

    await until(_MET_S, f"node {peer} is in reach", reachable)
