"""A private Redis and a private Asterisk, ready to use, that are gone when their owner is.

`make run`, `make demo`, the tests and the benchmarks all start theirs here; any number
of stacks run side by side. The owner is the process that enters the `Stack`, never a worker.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from ivr.provision.files import write_atomically
from ivr.provision.render import Reload, RenderOptions, reload_of, render
from ivr.provision.secrets import Secrets
from ivr.stack import console, ports, programs, registry
from ivr.stack.errors import StackError, ungrouped
from ivr.stack.paths import require_privilege
from ivr.stack.root import Root, ensure_root
from ivr.stack.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from ivr.core.plan import Plan
    from ivr.stack.ports import Ports
    from ivr.stack.registry import Claim

# Where the built prompts are, as Asterisk sees them.
SOUNDS: Final = "/var/lib/standardiste/prompts"
_FAULT: Final = re.compile(r"\b(?:WARNING|ERROR)\[\d+\]")
# A unix socket's address holds 107 bytes.
_LONGEST_SOCKET: Final = 107


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """What a stack is to be. Port 0 is "any free one"; a missing `state_dir` is a temporary one.

    `prompts_dir` holds <language>/<prompt>.alaw and music/hold.alaw. `app` is by default
    "ivr-<node>". `rtp_ports` is two for each leg of a call. `adjust` may change what is
    rendered, `amend` the rendered files themselves (it gets their folder), before the start.
    `beside` is a running stack of another node, whose Redis, secrets and ledger this one uses.
    """

    plan: Plan
    prompts_dir: Path
    state_dir: Path | None = None
    node: str = "a"
    app: str | None = None
    sip_bind: str = "127.0.0.1:0"
    http_bind: str = "127.0.0.1:0"
    trunk_match: str = "127.0.0.2/32"
    rtp_ports: int = 900
    beside: Stack | None = None
    root: Root | None = None
    ready_timeout_ms: int = 30_000
    adjust: Callable[[RenderOptions], RenderOptions] | None = None
    amend: Callable[[Path], None] | None = None


def split_bind(bind: str) -> tuple[str, int]:
    """Return host and port of "host:port"."""
    host, colon, port = bind.rpartition(":")
    if not (host and colon and port.isdecimal()):
        raise StackError(f"{bind!r} is not an address of the form host:port")
    return host.strip("[]"), int(port)


class Stack:
    """Redis and Asterisk, both ready inside `async with`; nothing of them is left after it.

    Not after Ctrl-C nor after SIGKILL of the owner either: then the programs die at once,
    and a temporary state folder is removed when the next stack starts. Use one `Stack` once.
    """

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        self.app = config.app or f"ivr-{config.node}"
        self.sip_host, self._sip_port = split_bind(config.sip_bind)
        self._http_host, self._http_port = split_bind(config.http_bind)
        self._claim: Claim | None = None
        self._ports: Ports | None = None
        self._secrets: Secrets | None = None
        self._options: RenderOptions | None = None
        self._redis: Service | None = None
        self._emergency: Service | None = None
        self._asterisk: Service | None = None

    async def __aenter__(self) -> Self:
        """Start both programs and return once they answer; leave nothing behind when they do not."""
        try:
            await self._start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both programs by their own pids, and give up ports and folders."""
        await self._end()

    async def _start(self) -> None:
        config = self.config
        require_privilege()
        if not config.prompts_dir.is_dir():
            raise StackError(f"{config.prompts_dir} is not there: build the prompts first (ivr prompts build)")
        root: Root = config.root if config.root is not None else await asyncio.to_thread(ensure_root)
        registry.clear_dead()
        state = config.state_dir or Path(tempfile.mkdtemp(prefix="ivr-"))
        self._claim = registry.claim(state.absolute(), temporary=config.state_dir is None)
        # ARI records below spool/recording only if that is there.
        for name in ("etc", "log", "run", "spool/recording", "lib", "redis", "emergency"):
            (self.state_dir / name).mkdir(parents=True, exist_ok=True)
        self._refuse_long_paths()
        self._take_ports()
        secrets_file = self.state_dir / "secrets.json"
        if config.beside:
            write_atomically(secrets_file, config.beside.secrets.path.read_text(encoding="utf-8"), 0o600)
        self._secrets = Secrets.load_or_create(secrets_file)
        options = RenderOptions(
            node=config.node,
            app=self.app,
            sip_host=self.sip_host,
            sip_port=self.sip_port,
            trunk_match=config.trunk_match,
            http_host=self._http_host,
            http_port=self.ari_port,
            rtp_start=self.ports.rtp_first,
            rtp_end=self.ports.rtp_last,
            sounds_dir=SOUNDS,
            ari_user=self.app,
        )
        self._options = config.adjust(options) if config.adjust else options
        render(config.plan, self._secrets, self._options, self.state_dir / "etc")
        if config.amend:
            config.amend(self.state_dir / "etc")
        self._redis = config.beside.redis if config.beside else Service(root, programs.redis(self.state_dir))
        self._emergency = Service(root, programs.emergency(self.state_dir))
        self._asterisk = Service(
            root,
            programs.asterisk(
                self.state_dir, config.prompts_dir, self._options, self._secrets.ari_accounts(self._options.ari_user)[0]
            ),
        )
        with ungrouped():
            async with asyncio.TaskGroup() as starting:
                for service in self._own:
                    starting.create_task(service.start(config.ready_timeout_ms))
        self._note_pids()

    def _refuse_long_paths(self) -> None:
        longest = max(
            (programs.redis_socket(self.state_dir), programs.emergency_socket(self.state_dir), self._control),
            key=lambda path: len(str(path)),
        )
        if len(str(longest).encode()) > _LONGEST_SOCKET:
            raise StackError(
                f"{longest} is too long for a socket ({_LONGEST_SOCKET} bytes): choose another state folder"
            )

    def _take_ports(self) -> None:
        self._ports = ports.take(self.sip_host, self._http_host, self.config.rtp_ports)
        if self._sip_port:
            ports.require_free("SIP", self.sip_host, self._sip_port)
        if self._http_port:
            ports.require_free("HTTP of Asterisk", self._http_host, self._http_port)

    async def _end(self) -> None:
        try:
            await asyncio.gather(*(service.stop() for service in self._own))
        finally:
            for service in self._own:
                await service.kill()
            if self._ports is not None:
                self._ports.release()
                self._ports = None
            if self._claim is not None:
                self._claim.release()

    # What it is

    @property
    def _own(self) -> list[Service]:
        """Return the programs that this stack started and must end."""
        redis = None if self.config.beside else self._redis
        return [service for service in (self._asterisk, redis, self._emergency) if service is not None]

    @property
    def state_dir(self) -> Path:
        """Return the folder of everything that this stack writes."""
        if self._claim is None:
            raise StackError("the stack has not been started")
        return self._claim.state

    @property
    def ports(self) -> Ports:
        """Return the ports that are this stack's; `spare` ones are for its company."""
        if self._ports is None:
            raise StackError("the stack is not running")
        return self._ports

    @property
    def secrets(self) -> Secrets:
        """Return the secrets that its configuration was made with."""
        if self._secrets is None:
            raise StackError("the stack has not been started")
        return self._secrets

    @property
    def options(self) -> RenderOptions:
        """Return what its Asterisk was told besides the plan."""
        if self._options is None:
            raise StackError("the stack has not been started")
        return self._options

    @property
    def sip_port(self) -> int:
        """Return the port of SIP, UDP and TCP."""
        return self._sip_port or self.ports.sip

    @property
    def ari_port(self) -> int:
        """Return the port of ARI."""
        return self._http_port or self.ports.http

    @property
    def ari_url(self) -> str:
        """Return the base address of ARI."""
        return f"http://{self._http_host}:{self.ari_port}/ari"

    @property
    def ari_user(self) -> str:
        """Return the user of ARI, as its password was last rotated."""
        return self.secrets.ari_accounts(self.options.ari_user)[0][0]

    @property
    def ari_password(self) -> str:
        """Return the password of ARI."""
        return self.secrets.ari_password

    @property
    def redis_url(self) -> str:
        """Return the address of Redis, a unix socket that its owner alone may open."""
        beside = self.config.beside
        return beside.redis_url if beside else f"unix://{programs.redis_socket(self.state_dir)}"

    @property
    def spool(self) -> Path:
        """Return the host's path of Asterisk's /var/spool/asterisk."""
        return self.state_dir / "spool"

    @property
    def logs(self) -> Path:
        """Return the folder of all logs."""
        return self.state_dir / "log"

    @property
    def redis(self) -> Service:
        """Return the Redis process, to look at or to trouble."""
        if self._redis is None:
            raise StackError("the stack has not been started")
        return self._redis

    @property
    def emergency(self) -> Service:
        """Return the emergency Redis's process, to look at or to trouble."""
        if self._emergency is None:
            raise StackError("the stack has not been started")
        return self._emergency

    @property
    def asterisk(self) -> Service:
        """Return the Asterisk process, to look at or to trouble."""
        if self._asterisk is None:
            raise StackError("the stack has not been started")
        return self._asterisk

    def env(self) -> Mapping[str, str]:
        """Return the IVR_* variables of a worker of this stack."""
        beside = self.config.beside
        shared = {"IVR_LEDGER_URL": f"sqlite:///{beside.state_dir / 'ledger.sqlite'}"} if beside else {}
        return {
            **shared,
            "IVR_NODE": self.config.node,
            "IVR_ARI_URL": self.ari_url,
            "IVR_ARI_USER": self.options.ari_user,
            "IVR_REDIS_URL": self.redis_url,
            "IVR_EMERGENCY_REDIS_URL": f"unix://{programs.emergency_socket(self.state_dir)}",
            "IVR_STATE_DIR": str(self.state_dir),
            "IVR_SOUNDS_DIR": self.options.sounds_dir,
            "IVR_PROMPTS_DIR": str(self.config.prompts_dir.absolute()),
            "IVR_SPOOL_DIR": str(self.spool),
            "IVR_SIP_BIND": f"{self.sip_host}:{self.sip_port}",
            "IVR_RTP_PORTS": f"{self.ports.rtp_first}-{self.ports.rtp_last}",
            "IVR_TRUNK_MATCH": self.config.trunk_match,
            "IVR_HTTP_BIND": f"127.0.0.1:{self.ports.spare[0]}",
        }

    def errors(self) -> list[str]:
        """Return the lines of Asterisk's logs that are warnings or errors, and what it said while it had no log."""
        lines: dict[str, None] = {}
        for name in ("asterisk.out", "full.log"):
            log = self.logs / name
            if log.exists():
                text = log.read_text(encoding="utf-8", errors="replace")
                lines.update(dict.fromkeys(line for line in text.splitlines() if _FAULT.search(line)))
        return list(lines)

    # What it can be asked

    async def asterisk_cli(self, command: str) -> str:
        """Return what Asterisk's console prints for `command`."""
        return await console.ask(self._control, command)

    async def apply(self, plan: Plan) -> Reload:
        """Render another plan and reload what changed, without touching calls; return what that was.

        Files under `restart` of the answer wait for `restart_asterisk`.
        """
        changed = render(plan, self.secrets, self.options, self.state_dir / "etc")
        reload = reload_of(changed, self.options)
        for command in reload.commands:
            await self.asterisk_cli(command)
        return reload

    async def start_redis(self) -> None:
        """Start Redis again after it ended, with what its append-only file holds."""
        await self._again(self.redis)

    async def stop_redis(self) -> None:
        """End Redis cleanly."""
        await self.redis.stop()

    async def restart_redis(self) -> None:
        """End Redis cleanly and start it again: nothing is lost."""
        await self.redis.stop()
        await self._again(self.redis)

    async def kill_redis(self) -> None:
        """End Redis as a crash does."""
        await self.redis.kill()

    async def wipe_redis(self) -> None:
        """Kill Redis and start it again with nothing in it."""
        await self.redis.kill()
        for path in sorted((self.state_dir / "redis").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        await self._again(self.redis)

    async def start_asterisk(self) -> None:
        """Start Asterisk again after it ended."""
        await self._again(self.asterisk)

    async def stop_asterisk(self) -> None:
        """End Asterisk cleanly; its calls end."""
        await self.asterisk.stop()

    async def restart_asterisk(self) -> None:
        """End Asterisk cleanly and start it again on the same addresses."""
        await self.asterisk.stop()
        await self._again(self.asterisk)

    async def kill_asterisk(self) -> None:
        """End Asterisk as a crash does."""
        await self.asterisk.kill()

    async def ended(self) -> str:
        """Return, once one of the programs has ended without being asked to, a sentence that says so."""
        waiting = {asyncio.create_task(service.ended()): service for service in self._own}
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        first = done.pop()
        return f"{waiting[first].name} ended by itself with {first.result()}"

    async def _again(self, service: Service) -> None:
        await service.start(self.config.ready_timeout_ms)
        self._note_pids()

    def _note_pids(self) -> None:
        if self._claim is not None:
            pids = [
                pid
                for service in self._own
                if service.running
                for pid in (service.supervisor_pid, service.pid)
                if pid is not None
            ]
            self._claim.note(*pids)

    @property
    def _control(self) -> Path:
        return programs.control_socket(self.state_dir)
