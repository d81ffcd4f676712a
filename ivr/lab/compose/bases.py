"""The images that ours are made from: pulled, or made here by mmdebstrap under the same names."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.lab.compose.teller import CommandError, ComposeTestError
from ivr.stack import build
from ivr.stack.paths import require_privilege

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.lab.compose.engine import Engine
    from ivr.lab.compose.teller import Teller

_LABEL: Final = "standardiste.base"
_WEEK_S: Final = 7 * 86_400
_PULL_S: Final = 300.0
_MAKE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Base:
    """A base image, and what a stand-in for it is made of."""

    tag: str
    suite: str
    packages: tuple[str, ...] = ()
    command: str = '["bash"]'

    @property
    def recipe(self) -> str:
        """Return a mark that changes with what the stand-in is made of, and each week."""
        text = f"{self.suite} {self.packages} {self.command} {int(time.time() // _WEEK_S)}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]


BASES: Final = (
    Base("debian:sid-slim", "sid"),
    Base("python:3.11-slim-bookworm", "bookworm", ("python3", "python3-venv"), '["python3"]'),
    Base("redis:7-bookworm", "bookworm", ("redis-server",), '["redis-server"]'),
)


@contextlib.contextmanager
def bases(teller: Teller, engine: Engine) -> Iterator[None]:
    """Have every base image. Stand-ins leave an engine that is not ours with the end of the test."""
    missing = [base for base in BASES if not _present(teller, engine, base)]
    missing = _pull(teller, engine, missing)
    try:
        if missing:
            require_privilege()
            build.ensure_mmdebstrap(lambda progress: teller.hear(progress.step))
            for base in missing:
                with teller.step(f"making {base.tag}, since it cannot be pulled"):
                    _make(teller, engine, base)
            if engine.private:  # what was made from older ones
                teller.succeeds(["docker", "image", "prune", "--force"], env=engine.env)
        yield
    finally:
        if not engine.private:
            for base in missing:
                teller.succeeds(["docker", "image", "rm", base.tag], env=engine.env)


def _present(teller: Teller, engine: Engine, base: Base) -> bool:
    """Whether the image is there; a stand-in of another recipe is not."""
    asked = ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{_LABEL}"}}}}', base.tag]
    try:
        mark = teller.run(asked, env=engine.env).strip()
    except CommandError:
        return False
    return mark in ("", "<no value>", base.recipe)


def _pull(teller: Teller, engine: Engine, wanted: list[Base]) -> list[Base]:
    """Pull what can be pulled, and return the others. Where one fails the rest would too."""
    for index, base in enumerate(wanted):
        with teller.step(f"pulling {base.tag}"):
            if not teller.succeeds(["docker", "pull", "--quiet", base.tag], env=engine.env, limit_s=_PULL_S):
                return wanted[index:]
    return []


def _make(teller: Teller, engine: Engine, base: Base) -> None:
    lean = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")]
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    argv += ["--propagation", "private", "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=tar"]
    # Signatures are checked all the same.
    argv += [*lean, '--aptopt=Acquire::Check-Valid-Until "false"', '--aptopt=Acquire::Retries "3"']
    if base.packages:
        argv.append(f"--include={','.join(base.packages)}")
    argv += [base.suite, "-"]
    teller.hear(f"$ {' '.join(argv)} | docker import - {base.tag}")
    changes = ["--change", f"CMD {base.command}", "--change", f"LABEL {_LABEL}={base.recipe}"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as making:
        if making.stdout is None or making.stderr is None:
            raise ComposeTestError("no pipe to mmdebstrap")
        try:
            teller.run(
                ["docker", "import", *changes, "-", base.tag], env=engine.env, stdin=making.stdout, limit_s=_MAKE_S
            )
        except BaseException:
            making.kill()  # with all that is in its namespaces
            raise
        finally:
            making.stdout.close()
            said = making.stderr.read().decode(errors="replace").strip().splitlines()
            code = making.wait()
    if code != 0:
        teller.succeeds(["docker", "image", "rm", base.tag], env=engine.env)
        raise build.failure(code, said)
