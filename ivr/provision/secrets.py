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
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MODE: Final = 0o600
_FORMAT: Final = 1
# Typed by hand on desk phones: no sign that reads like another. 20 of 32 signs are 100 bits.
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_LENGTH: Final = 20
_KEY_BYTES: Final = 32
_PIN: Final = 6


def _password() -> str:
    return "".join(entropy.choice(_ALPHABET) for _ in range(_LENGTH))


def hashed_password(user: str, realm: str, password: str) -> str:
    """Return what a server may keep in place of a password (RFC 7616, H(A1) with MD5)."""
    return md5(f"{user}:{realm}:{password}".encode(), usedforsecurity=False).hexdigest()


class Secrets:
    """What must be known to both sides; equal for all who load the same file.

    `ari_password` opens ARI; `caller_key` (32 bytes) keys the references that stand
    for callers' numbers: losing it unlinks them for ever, leaking it lets them be guessed.
    `admin_token` and `admin_pin` (six digits) prove an admin over HTTP and by phone: docs/publish.md.
    `node_password` is what the nodes of an installation prove to each other: they share the file.

    A password that was rotated stays accepted beside its successor until `retire`, so that
    nobody is shut out while Asterisk, workers and phones learn the new one at their own pace.
    """

    __slots__ = (
        "_agents",
        "_ari_former",
        "_ari_turn",
        "_former",
        "admin_pin",
        "admin_token",
        "ari_password",
        "caller_key",
        "node_password",
        "path",
    )

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        """Take what the file holds; use `load_or_create`."""
        self.path = path
        self._take(content)

    def _take(self, content: dict[str, Any]) -> None:
        path = self.path
        try:
            if content["format"] != _FORMAT:
                raise ProvisionError(f"{path}: format {content['format']!r} is not known")
            self.ari_password = str(content["ari_password"])
            self.caller_key = bytes.fromhex(content["caller_key"])
            self.node_password = str(content["node_password"])
            self.admin_token = str(content.get("admin_token", ""))
            self.admin_pin = str(content.get("admin_pin", ""))
            self._agents = _words(content["agents"])
            self._ari_turn = int(content.get("ari_turn", 0))
            self._ari_former = str(content.get("ari_former", ""))
            self._former = _words(content.get("agents_former", {}))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ProvisionError(f"{path}: not a file of secrets ({error})") from error
        if len(self.caller_key) != _KEY_BYTES or not self.ari_password or not self.node_password:
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
            # Files of earlier versions have none of these.
            content.setdefault("node_password", _password())
            content.setdefault("admin_token", _password())
            content.setdefault("admin_pin", "".join(entropy.choice("0123456789") for _ in range(_PIN)))
            found = cls(path, content)
            found._write()
            return found

    def ari_accounts(self, user: str) -> tuple[tuple[str, str], ...]:
        """Return the names and passwords that open ARI, the one to use first.

        Each rotation makes a name of its own (`user`, `user-1`, `user-2` …): Asterisk knows one
        password for a name, and a worker's socket is asked for it again at every request.
        """
        accounts = [(_turned(user, self._ari_turn), self.ari_password)]
        if self._ari_former:
            accounts.append((_turned(user, self._ari_turn - 1), self._ari_former))
        return tuple(accounts)

    def agent_password(self, agent: str) -> str:
        """Return the SIP password of an agent, made and kept if there was none."""
        check_name(agent, "agent")
        if agent not in self._agents:
            with self._changing():
                self._agents.setdefault(agent, _password())
        return self._agents[agent]

    def agent_former(self, agent: str) -> str | None:
        """Return the password that an agent had before, if a phone may still use it."""
        return self._former.get(agent)

    def rotate_ari(self, *, keep: bool = True) -> None:
        """Make a new password of ARI; `keep`: the one before opens it too, until `retire`."""
        with self._changing():
            if keep and self._ari_former:
                raise ProvisionError("the former password of ARI is still accepted: `ivr secrets retire` comes first")
            self._ari_former = self.ari_password if keep else ""
            self.ari_password = _password()
            self._ari_turn += 1

    def rotate_agents(self, agents: Iterable[str], *, keep: bool = True) -> None:
        """Make new passwords of these agents; `keep`: the ones before are accepted too, until `retire`."""
        names = [check_name(agent, "agent") for agent in agents]
        with self._changing():
            pending = [agent for agent in names if keep and agent in self._former]
            if pending:
                raise ProvisionError(
                    f"the former password of {', '.join(pending)} is still accepted: `ivr secrets retire` comes first"
                )
            for agent in names:
                former = self._agents.get(agent)
                if keep and former is not None:
                    self._former[agent] = former
                else:
                    self._former.pop(agent, None)
                self._agents[agent] = _password()

    def retire(self) -> tuple[str, ...]:
        """Forget every password that was rotated; return whose they were ("ari", an agent), sorted."""
        with self._changing():
            retired = [*(["ari"] if self._ari_former else []), *sorted(self._former)]
            self._ari_former = ""
            self._former = {}
        return tuple(retired)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Change what the file holds now, whoever wrote it last; a change that fails leaves it as it was."""
        with _locked(self.path):
            content = _read(self.path)
            if content is not None:
                self._take(content)
            yield
            self._write()

    def _write(self) -> None:
        content: dict[str, Any] = {
            "format": _FORMAT,
            "ari_password": self.ari_password,
            "caller_key": self.caller_key.hex(),
            "node_password": self.node_password,
            "admin_token": self.admin_token,
            "admin_pin": self.admin_pin,
            "agents": dict(sorted(self._agents.items())),
        }
        rotated = {
            "ari_turn": self._ari_turn,
            "ari_former": self._ari_former,
            "agents_former": dict(sorted(self._former.items())),
        }
        content |= {name: value for name, value in rotated.items() if value}
        text = json.dumps(content, indent=2) + "\n"
        if differs(self.path, text, _MODE):
            write_atomically(self.path, text, _MODE)

    def __repr__(self) -> str:
        """Return nothing that could leak into a log."""
        return f"Secrets({str(self.path)!r})"


def _turned(user: str, turn: int) -> str:
    return f"{user}-{turn}" if turn else user


def _words(content: dict[str, Any]) -> dict[str, str]:
    return {str(agent): str(word) for agent, word in content.items()}


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
