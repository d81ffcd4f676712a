"""docker-compose.yml under a project name and on ports of its own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ivr.lab.compose.teller import CommandError, ComposeTestError

if TYPE_CHECKING:
    from pathlib import Path

    from ivr.lab.compose.engine import Engine
    from ivr.lab.compose.teller import Teller

PROJECT: Final = "standardiste-test"
_TAG: Final = "test"
_POLL_S: Final = 0.5
_BUILD_S: Final = 1200.0
_UP_S: Final = 240.0
_DOWN_S: Final = 120.0
_SECRETS: Final = "/var/lib/standardiste/state/secrets.json"


@dataclass(frozen=True, slots=True)
class Composition:
    """The services, from their images to their end. `settings` is the env file that they are given."""

    teller: Teller
    engine: Engine
    folder: Path
    settings: Path

    def compose(self, *argv: str, limit_s: float = 60.0) -> str:
        """Run a Compose command on this project and return what it printed."""
        files = ["--file", str(self.folder / "docker-compose.yml")]
        if self.engine.private:  # it has no bridge for builds either
            files += ["--file", str(self.folder / "docker" / "compose.host-build.yml")]
        # Compose 1.29 knows --env-file only before the command.
        known = ["--project-name", PROJECT, "--env-file", str(self.settings), *files]
        env = {**self.engine.env, "STANDARDISTE_ENV": str(self.settings), "STANDARDISTE_TAG": _TAG}
        return self.teller.run([*self.engine.compose, *known, *argv], env=env, cwd=self.folder, limit_s=limit_s)

    def check(self) -> None:
        """Raise unless this Compose finds the files valid."""
        self.compose("config", "--quiet")

    def build(self) -> None:
        """Build the images; what is unchanged is taken from the engine's cache."""
        self.compose("build", limit_s=_BUILD_S)

    def up(self) -> None:
        """Start everything and return once each service has been started in its turn."""
        self.compose("up", "--detach", "--no-build", limit_s=_UP_S)

    def down(self) -> None:
        """End and remove containers, volumes and networks of this project; images are kept."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "10", limit_s=_DOWN_S)

    def wait_healthy(self, service: str, patience_s: float) -> None:
        """Return once a service is healthy; raise `ComposeTestError` when it ends or takes too long."""
        until = time.monotonic() + patience_s
        state = "not created"
        while time.monotonic() < until:
            container = self.container(service)
            if container:
                asked = ["docker", "inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", container]
                state = self.teller.run(asked, env=self.engine.env).strip()
                if state == "running healthy":
                    return
                if state.startswith(("exited", "dead")):
                    break
            time.sleep(_POLL_S)
        raise ComposeTestError(f"the service {service} is not healthy: {state}")

    def container(self, service: str) -> str:
        """Return the id of a service's container, or nothing."""
        found = self.compose("ps", "--quiet", service).split()
        return found[0] if found else ""

    def inside(self, service: str, *argv: str) -> str:
        """Run a command inside a running service and return what it printed."""
        return self.teller.run(["docker", "exec", self.container(service), *argv], env=self.engine.env)

    def agent_password(self, agent: str) -> str:
        """Return an agent's SIP password, as `setup` made it."""
        return str(json.loads(self.inside("ivr", "cat", _SECRETS))["agents"][agent])

    def logs(self) -> str:
        """Return the last lines of every service, for people."""
        try:
            return self.compose("logs", "--no-color", "--tail", "25")
        except CommandError as error:
            return error.tail
