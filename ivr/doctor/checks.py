"""What was seen of this machine, judged: plan, versions, secrets, clock, prompts, disk. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ivr.doctor.finding import Finding, decimal, plural, well, worth, wrong
from ivr.plan.faults import Severity
from ivr.prompts.pipeline import TARGET_LUFS, TOLERANCE_LU

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ivr.core.plan import Plan
    from ivr.doctor import facts
    from ivr.plan.faults import Fault

PYTHON: Final = (3, 11)
ASTERISK: Final = (22, 10, 1)
ASTERISK_BELOW: Final = 23
REDIS: Final = (7, 0)
PRIVATE: Final = 0o077
DRIFT_MS: Final = 1_000.0
FAR_MS: Final = 30_000.0
LITTLE: Final = 1_000_000_000
NOTHING: Final = 200_000_000
_NAMED: Final = 5
"""So many are named one by one."""


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without what packagers add: (22, 10, 1)."""
    found = re.match(r"\D*(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def plan(made: Plan | None, faults: Sequence[Fault], folder: str = "", behind: int = 0) -> list[Finding]:
    """Every fault of the call plan, with its place and its cure.

    `behind`: the version that callers meet, where it is not this folder.
    """
    found = [
        (wrong if fault.severity is Severity.ERROR else worth)(
            "plan", fault.message_fr, f"{fault.file}:{fault.line}:{fault.column}", fault.cure_fr
        )
        for fault in faults
    ]
    if behind:
        what = f"le brouillon n'est pas publié : les appelants ont la version {behind}"
        found.append(worth("plan", what, folder, "ivr plan diff, puis : ivr plan publish"))
    if made is not None and not found:
        found.append(
            well("plan", f"{made.name} : {plural(len(made.topics), 'motif')}, {plural(len(made.agents), 'agent')}")
        )
    return found


def versions(seen: facts.Versions) -> list[Finding]:
    """Python, Asterisk, Redis, and the packages against the lock."""
    found = []
    if seen.python[:2] < PYTHON:
        found.append(
            wrong("versions", f"Python {_dotted(seen.python)} est trop ancien", "", "Installez Python 3.11 ou plus.")
        )
    if seen.asterisk is not None:
        found += _asterisk(seen.asterisk)
    if seen.redis is not None and numbers(seen.redis) < REDIS:
        found.append(wrong("versions", f"Redis {seen.redis} est trop ancien", "", "Installez Redis 7.0 ou plus."))
    missing = [package.name for package in seen.packages if package.here is None and package.needed]
    if missing:
        found.append(wrong("versions", f"il manque {_some(missing)}", seen.lock, "make setup"))
    other = [
        f"{package.name} {package.here} (prévu : {package.locked})"
        for package in seen.packages
        if package.here is not None and package.here != package.locked
    ]
    if other:
        found.append(worth("versions", f"autres versions que prévu : {_some(other)}", seen.lock, "make setup"))
    if not found:
        parts = [f"Python {_dotted(seen.python[:3])}"]
        parts += [f"Asterisk {seen.asterisk}"] if seen.asterisk else []
        parts += [f"Redis {seen.redis}"] if seen.redis else []
        count = sum(package.here is not None for package in seen.packages)
        parts += [f"{plural(count, 'paquet')} comme prévu"] if count else []
        found.append(well("versions", ", ".join(parts)))
    return found


def _asterisk(version: str) -> list[Finding]:
    here = numbers(version)
    if ASTERISK <= here < (ASTERISK_BELOW,):
        return []
    return [
        wrong(
            "versions",
            f"Asterisk {version} n'est pas la version prévue (22.10.1 ou plus, avant 23)",
            "",
            "make root, puis : systemctl restart standardiste-asterisk (docs/systemd.md)",
        )
    ]


def secrets(seen: facts.Secrets) -> list[Finding]:
    """Who else could read them, and how hard they are to guess."""
    if seen.problem:
        return [wrong("secrets", seen.problem, seen.path, "systemctl restart standardiste-setup (ou « ivr serve »)")]
    found = []
    if seen.mode & PRIVATE:
        found.append(
            wrong(
                "secrets", f"d'autres que vous peuvent le lire ({seen.mode:04o})", seen.path, f"chmod 0600 {seen.path}"
            )
        )
    found += [
        wrong("secrets", f"d'autres que vous peuvent le lire ({mode:04o})", path, f"chmod 0600 {path}")
        for path, mode in seen.loose
    ]
    if seen.weak:
        found.append(
            wrong(
                "secrets",
                f"trop facile à deviner : {_some(seen.weak)}",
                seen.path,
                "Mettez-y au moins 20 signes au hasard, puis : systemctl restart standardiste-setup",
            )
        )
    found += [
        wrong(
            "secrets",
            "un secret est dans l'environnement d'un processus",
            process,
            "Retirez-le de ce qui lance ce processus, changez ce secret, relancez.",
        )
        for process in seen.exposed
    ]
    found += [
        wrong("secrets", "un secret est dans git", file, f"Changez ce secret, puis : git rm --cached {file}")
        for file in seen.tracked
    ]
    return found or [well("secrets", "lisibles par vous seul, difficiles à deviner", seen.path)]


def clock(seen: facts.Clock) -> list[Finding]:
    """This machine's clock against that of Redis, and whether anybody keeps it."""
    found = []
    cure = "timedatectl set-ntp true"
    if seen.drift_ms is not None and abs(seen.drift_ms) > DRIFT_MS:
        far = wrong if abs(seen.drift_ms) > FAR_MS else worth
        found.append(
            far("clock", f"{decimal(abs(seen.drift_ms) / 1_000)} s d'écart avec la machine de Redis", "", cure)
        )
    if seen.synchronised is False:
        found.append(worth("clock", "l'horloge n'est réglée par aucun serveur de temps", "", cure))
    if not found:
        parts = [] if seen.drift_ms is None else [f"{abs(seen.drift_ms):.0f} ms d'écart avec Redis"]
        parts += ["réglée par un serveur de temps"] if seen.synchronised else []
        found.append(well("clock", ", ".join(parts) or "rien à comparer"))
    return found


def prompts(seen: facts.Prompts) -> list[Finding]:
    """Every sentence is there, is that of its text, and is as loud as the others."""
    build = "ivr prompts build"
    found = [wrong("prompts", fault.message_fr, seen.folder, build) for fault in seen.faults[:_NAMED]]
    if (more := len(seen.faults) - _NAMED) > 0:
        found.append(
            wrong("prompts", f"et {plural(more, 'autre message', 'autres messages')} de même", seen.folder, build)
        )
    odd = [
        f"{name} ({lufs:.0f} LUFS)"
        for name, lufs in sorted(seen.loudness.items())
        if abs(lufs - TARGET_LUFS) > TOLERANCE_LU
    ]
    if odd:
        cure = f"Réenregistrez-les plus près de {TARGET_LUFS:.0f} LUFS, puis : {build}"
        found.append(worth("prompts", f"plus forts ou plus faibles que les autres : {_some(odd)}", seen.folder, cure))
    count = plural(len(seen.loudness), "message")
    return found or [well("prompts", f"{count}, tous là, de même force", seen.folder)]


def disks(seen: Sequence[facts.Disk]) -> list[Finding]:
    """Room for recordings, the ledger and logs."""
    found = []
    for disk in seen:
        what = f"il reste {_bytes(disk.free)} ({', '.join(disk.holds)})"
        cure = f"Faites de la place : du -xh --max-depth=2 {disk.path} | sort -h | tail"
        if disk.free < NOTHING:
            found.append(wrong("disk", what, disk.path, cure))
        elif disk.free < LITTLE:
            found.append(worth("disk", what, disk.path, cure))
    if not found:
        least = min(seen, key=lambda disk: disk.free, default=None)
        found.append(well("disk", "rien à mesurer" if least is None else f"{_bytes(least.free)} libres"))
    return found


def _bytes(count: int) -> str:
    return f"{decimal(count / 1e9)} Go" if count >= LITTLE else f"{count // 1_000_000} Mo"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} et {len(names) - _NAMED} de plus" if len(names) > _NAMED else shown


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
