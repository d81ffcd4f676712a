"""The secrets of one installation: made once, kept in one file that its owner alone reads."""

from __future__ import annotations

import fcntl
import json
import secrets as entropy
from contextlib import contextmanager
from hashlib import md5
from typing import TYPE_CHECKING, Any, Final

from ivr.provision.files import differs, write_atomically
from ivr.provision.options import ProvisionError, check_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MODE: Final = 0o600
_FORMAT: Final = 1
# Typed by hand on desk phones: no sign that reads like another. 20 of 32 signs are 100 bits.
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_LENGTH: Final = 20
_KEY_BYTES: Final = 32


def _password() -> str:
    return "".join(entropy.choice(_ALPHABET) for _ in range(_LENGTH))


def hashed_password(user: str, realm: str, password: str) -> str:
    """Return what a server may keep in place of a password (RFC 7616, H(A1) with MD5)."""
    return md5(f"{user}:{realm}:{password}".encode(), usedforsecurity=False).hexdigest()


class Secrets:
    """What must be known to both sides; equal for all who load the same file.

    `ari_password` opens ARI; `caller_key` (32 bytes) keys the references that stand
    for callers' numbers: losing it unlinks them for ever, leaking it lets them be guessed.
    """

    __slots__ = ("_agents", "ari_password", "caller_key", "path")

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        """Take what the file holds; use `load_or_create`."""
        self.path = path
        try:
            if content["format"] != _FORMAT:
                raise ProvisionError(f"{path}: format {content['format']!r} is not known")
            self.ari_password = str(content["ari_password"])
            self.caller_key = bytes.fromhex(content["caller_key"])
            self._agents = _agents(content)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ProvisionError(f"{path}: not a file of secrets ({error})") from error
        if len(self.caller_key) != _KEY_BYTES or not self.ari_password:
            raise ProvisionError(f"{path}: a secret is missing or cut short")

    @classmethod
    def load_or_create(cls, path: Path) -> Secrets:
        """Return the secrets in `path`, made if there were none. Safe between processes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            content = _read(path)
            if content is None:
                content = {
                    "format": _FORMAT,
                    "ari_password": _password(),
                    "caller_key": entropy.token_hex(_KEY_BYTES),
                    "agents": {},
                }
            found = cls(path, content)
            found._write()
            return found

    def agent_password(self, agent: str) -> str:
        """Return the SIP password of an agent, made and kept if there was none."""
        check_name(agent, "agent")
        if agent not in self._agents:
            with _locked(self.path):
                content = _read(self.path)
                if content is not None:
                    self._agents = _agents(content)
                self._agents.setdefault(agent, _password())
                self._write()
        return self._agents[agent]

    def _write(self) -> None:
        content = {
            "format": _FORMAT,
            "ari_password": self.ari_password,
            "caller_key": self.caller_key.hex(),
            "agents": dict(sorted(self._agents.items())),
        }
        text = json.dumps(content, indent=2) + "\n"
        if differs(self.path, text, _MODE):
            write_atomically(self.path, text, _MODE)

    def __repr__(self) -> str:
        """Return nothing that could leak into a log."""
        return f"Secrets({str(self.path)!r})"


def _agents(content: dict[str, Any]) -> dict[str, str]:
    return {str(agent): str(word) for agent, word in content["agents"].items()}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ProvisionError(f"{path}: not a file of secrets ({error})") from error
    if not isinstance(content, dict):
        raise ProvisionError(f"{path}: not a file of secrets")
    return content


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
