"""Looks at this machine: packages, secrets, clock, ports, disks, prompts. Writes nothing, not even a missing file."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ivr.doctor import facts
from ivr.prompts import alaw, missing, site_texts
from ivr.prompts.site import languages
from ivr.prompts.sound import NARROW, from_words, loudness, trimmed
from ivr.provision.options import ProvisionError
from ivr.provision.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ivr.plan.loader import Loaded
    from ivr.settings import Settings

PROJECT: Final = Path(__file__).resolve().parents[2]
LOCK: Final = PROJECT / "requirements.txt"
LEAST_SIGNS: Final = 12
LEAST_KINDS: Final = 6
_HOLD_SECRETS: Final = ("ari.conf", "pjsip.conf")
_LOCKED: Final = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)([^\\\n]*)", re.MULTILINE)
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_GIT_S: Final = 10.0
_UNSYNCHRONISED: Final = 0x0040
_STATUS_AT: Final = 40
_TIMEX_BYTES: Final = 256


# Packages


def versions(asterisk: str | None, redis: str | None, lock: Path = LOCK) -> facts.Versions:
    """Versions of what runs, and of the packages beside the lock; an installation without the lock has none."""
    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    needed = _needed()
    packages = tuple(
        facts.Package(name, version, _here(name), needed=name in needed)
        for name, version, marker in _LOCKED.findall(text)
        if "sys_platform" not in marker and "python_full_version" not in marker
    )
    return facts.Versions(tuple(sys.version_info[:3]), asterisk, redis, packages, str(lock))


def _here(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _needed() -> frozenset[str]:
    """What the product itself asks for, without what its tests do; nothing where it is not installed as a package."""
    try:
        wanted = metadata.requires("standardiste") or []
    except metadata.PackageNotFoundError:
        return frozenset()
    own = (_NAME.match(line) for line in wanted if "extra ==" not in line)
    return frozenset(re.sub(r"[._]", "-", found[0].lower()) for found in own if found)


# Secrets


def secrets(settings: Settings) -> tuple[facts.Secrets, tuple[tuple[str, str], ...]]:
    """What can be said of the secrets without telling one; and what opens ARI, if it is known."""
    path = settings.secrets_file
    try:
        mode = path.stat().st_mode & 0o777
        content = json.loads(path.read_text(encoding="utf-8"))
        words = _words(content)
        accounts = Secrets(path, content).ari_accounts(settings.ari_user)
    except FileNotFoundError:
        return facts.Secrets(str(path), "il n'y en a pas encore"), ()
    except (OSError, ValueError, TypeError, AttributeError, ProvisionError) as error:
        return facts.Secrets(str(path), f"illisible ({type(error).__name__})"), ()
    told = facts.Secrets(
        path=str(path),
        mode=mode,
        weak=tuple(name for name, word in words.items() if is_weak(word)),
        exposed=tuple(_exposed(words.values())),
        tracked=tuple(_tracked({PROJECT, settings.plan.absolute()}, path, words.values())),
        loose=tuple(_loose(settings.state_dir)),
    )
    return told, accounts


def _words(content: Mapping[str, Any]) -> dict[str, str]:
    agents = {f"agents/{name}": str(word) for name, word in content["agents"].items()}
    return {"ari_password": str(content["ari_password"]), "caller_key": str(content["caller_key"]), **agents}


def is_weak(word: str) -> bool:
    """Whether a secret is short, or of few different signs."""
    return len(word) < LEAST_SIGNS or len(set(word)) < LEAST_KINDS


def _exposed(words: Iterable[str], proc: Path = Path("/proc")) -> list[str]:
    """The processes whose environment holds a secret, of those that we may look at."""
    wanted = [word.encode() for word in words if word]
    found = []
    for environment in proc.glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            held = environment.read_bytes()
            if any(word in held for word in wanted):
                name = (environment.parent / "comm").read_text(encoding="utf-8", errors="replace").strip()
                found.append(f"processus {environment.parent.name} ({name})")
    return sorted(found)


def _tracked(folders: Iterable[Path], secrets_file: Path, words: Iterable[str]) -> list[str]:
    """The files that git keeps and that hold a secret, the file of the secrets among them."""
    patterns = "\n".join(word for word in words if word)
    found = set()
    for folder in folders:
        if not folder.is_dir():
            continue
        found |= {str(folder / name) for name in _git(folder, "grep", "--cached", "-lF", "-f", "-", said=patterns)}
    if secrets_file.parent.is_dir():
        found |= {str(secrets_file) for _ in _git(secrets_file.parent, "ls-files", "--", secrets_file.name)}
    return sorted(found)


def _git(folder: Path, *command: str, said: str = "") -> list[str]:
    git = shutil.which("git")
    if git is None:
        return []
    try:
        ran = subprocess.run(
            [git, "-C", str(folder), *command],
            input=said,
            capture_output=True,
            text=True,
            check=False,
            timeout=_GIT_S,
        )
    except subprocess.TimeoutExpired:
        return []
    return ran.stdout.splitlines() if ran.returncode == 0 else []


def _loose(state: Path) -> list[tuple[str, int]]:
    """The files of Asterisk's configuration that hold secrets and that others may read."""
    found = []
    for folder in (state / "etc", state / "asterisk" / "etc"):
        for path in (folder / name for name in _HOLD_SECRETS):
            with contextlib.suppress(OSError):
                mode = path.stat().st_mode & 0o777
                if mode & 0o077:
                    found.append((str(path), mode))
    return found


# Clock


def synchronised() -> bool | None:
    """Whether a time server keeps this machine's clock, as the kernel has it (adjtimex(2)); None: it does not say."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    return not int.from_bytes(buffer.raw[_STATUS_AT : _STATUS_AT + 4], sys.byteorder) & _UNSYNCHRONISED


# Ports, disks


def rtp(settings: Settings, lines: int, max_calls: int) -> facts.Rtp:
    """The ports of audio, and how many of them a program could have now."""
    first, last = (int(part) for part in settings.rtp_ports.split("-"))
    host = settings.sip_bind.rpartition(":")[0]
    free = sum(_is_free(host, port) for port in range(first, last + 1))
    return facts.Rtp(host, first, last, free, lines, max_calls)


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attempt:
        try:
            attempt.bind((host, port))
        except OSError:
            return False
    return True


def disks(settings: Settings) -> list[facts.Disk]:
    """The file systems that hold what we write, each once."""
    state = settings.state_dir.absolute()
    places = {"état": state, "messages enregistrés": state / "spool", "Asterisk": state / "asterisk" / "spool"}
    if settings.ledger.startswith("sqlite"):
        places["registre"] = Path(settings.ledger.partition(":///")[2]).parent
    held: dict[int, list[str]] = {}
    where: dict[int, Path] = {}
    for name, path in places.items():
        with contextlib.suppress(OSError):
            device = os.stat(path).st_dev  # noqa: PTH116 - follows links, as writing does
            held.setdefault(device, []).append(name)
            where.setdefault(device, path)
    found = []
    for device, names in held.items():
        usage = shutil.disk_usage(where[device])
        found.append(facts.Disk(tuple(names), str(where[device]), usage.free, usage.total))
    return found


# Prompts


def folder_of_prompts(settings: Settings) -> Path:
    """Where the built prompts are on this machine: where Asterisk sees them, else in the state folder."""
    seen = Path(settings.sounds)
    return seen if seen.is_dir() else settings.state_dir / "prompts"


def prompts(loaded: Loaded, folder: Path) -> facts.Prompts:
    """What is missing, and how loud is what is there."""
    found: dict[str, float] = {}
    for language in languages(loaded):
        for prompt in site_texts(loaded, language):
            with contextlib.suppress(OSError):
                codes = np.fromfile(folder / language / f"{prompt}.alaw", dtype=np.uint8)
                heard = trimmed(from_words(alaw.decode(codes), NARROW))
                found[f"{language}/{prompt}"] = loudness(heard)
    return facts.Prompts(str(folder), tuple(missing(loaded, folder)), found)
