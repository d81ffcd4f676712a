"""Runs one program inside the runtime root, in mount and pid namespaces of its own.

A script of the standard library alone, started as `python -I -S jail.py SPEC -- ARGV…`
by the command that `Root.command` returns. What holds:

- the root is never written to: the program sees it read-only under a private tmpfs,
  with the wanted folders of the host bound in, an own /proc, /dev, /run and /tmp;
- nothing is mounted outside of the program's own namespace, so nothing stays mounted;
- the program is the first of its pid namespace: when it ends, all that it started ends;
- this process dies with the one that started it, and the program with this process,
  even by SIGKILL; signals sent to this process reach the program;
- the exit status is the program's; 125 means that the place could not be made, and
  127 that the program is not in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import stat
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

_CLONE_NEWNS: Final = 0x0002_0000
_CLONE_NEWPID: Final = 0x2000_0000
_MS_RDONLY: Final = 1
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_REMOUNT: Final = 32
_MS_BIND: Final = 4096
_MS_REC: Final = 16384
_MS_SLAVE: Final = 1 << 19
_PR_SET_PDEATHSIG: Final = 1
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_LAST_CAPABILITY: Final = 63
_DESCRIPTORS: Final = 65_536

_FORWARDED: Final = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
# The first process of a pid namespace does not get signals that it left at their default,
# so the default has to be carried out from here.
_DEADLY: Final = frozenset(_FORWARDED) - {signal.SIGWINCH}
# Never taken from the root: made afresh for each program.
_FRESH: Final = frozenset({"proc", "dev", "sys", "run", "tmp", "mnt"})
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    result = _libc.mount(
        source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )
    _checked(result, f"mount {source} on {target}")


def _bind(source: Path, target: Path, *, read_only: bool) -> None:
    _mount(str(source), target, flags=_MS_BIND)
    locked = _MS_NOSUID | _MS_NODEV | (_MS_RDONLY if read_only else 0)
    _mount(str(source), target, flags=_MS_BIND | _MS_REMOUNT | locked)


def resolve(root: Path, inside: str) -> Path:
    """Return where `inside` lies once the root's own symbolic links are followed, relative to the root.

    Parts that do not exist are kept as they are; links never lead out of the root.
    """
    done: list[str] = []
    left = [part for part in inside.split("/") if part not in ("", ".")]
    for _ in range(64 * (1 + len(left))):
        if not left:
            return Path(*done)
        part = left.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        here = root.joinpath(*done, part)
        if (done or part not in _FRESH) and here.is_symlink():
            to = str(here.readlink())
            if to.startswith("/"):
                done = []
            left = [piece for piece in to.split("/") if piece not in ("", ".")] + left
        else:
            done.append(part)
    raise OSError(f"{inside}: too many symbolic links")


def _graft(source: Path, target: Path, wanted: list[Path]) -> None:
    """Show `source` at `target`, read-only, such that each of `wanted` (relative) exists below it."""
    if all(os.path.lexists(source / path) for path in wanted):
        _bind(source, target, read_only=True)
        return
    children = {child.name: child for child in source.iterdir()}
    for name, child in children.items():
        below = [Path(*path.parts[1:]) for path in wanted if path.parts[0] == name]
        _show(child, target / name, [path for path in below if path.parts])


def _show(child: Path, target: Path, wanted: list[Path]) -> None:
    mode = child.lstat().st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(child.readlink())
    elif stat.S_ISDIR(mode):
        target.mkdir()
        _graft(child, target, wanted)
    elif stat.S_ISREG(mode):
        target.touch()
        _bind(child, target, read_only=True)


def _prepare_mount_point(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


def _devices(dev: Path) -> None:
    for name in _DEVICES:
        (dev / name).touch()
        _mount(f"/dev/{name}", dev / name, flags=_MS_BIND)
    for name, to in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (dev / name).symlink_to(to)
    (dev / "shm").mkdir()
    (dev / "shm").chmod(0o1777)


def build(root: Path, binds: list[tuple[Path, str, bool]]) -> Path:
    """Assemble the program's file system and return where; the caller is alone in its mount namespace."""
    new = root / "mnt"
    _mount("tmpfs", new, "tmpfs", _MS_NOSUID, "mode=755")
    targets = [(source, resolve(root, inside), read_only) for source, inside, read_only in binds]
    for child in root.iterdir():
        if child.name not in _FRESH:
            below = [path.relative_to(child.name) for _, path, _ in targets if path.parts[:1] == (child.name,)]
            _show(child, new / child.name, [path for path in below if path.parts])
    for name in _FRESH:
        (new / name).mkdir()
    (new / "tmp").chmod(0o1777)
    _mount("proc", new / "proc", "proc", _MS_NOSUID | _MS_NODEV)
    _devices(new / "dev")
    # A server that cannot find its own name blocks 5 s at each call.
    hosts = new / "run" / ".hosts"
    hosts.write_text(f"127.0.0.1 localhost {socket.gethostname()}\n::1 localhost\n", encoding="ascii")
    _bind(hosts, new / "etc" / "hosts", read_only=True)
    for source, path, read_only in sorted(targets, key=lambda item: len(item[1].parts)):
        _prepare_mount_point(source, new / path)
        _bind(source, new / path, read_only=read_only)
    return new


def _drop_privileges() -> None:
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # past the last one that this kernel knows
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def _raise_limits() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _become(spec: dict[str, Any], argv: list[str], parent_alive: int) -> NoReturn:
    """Turn this process, the first of its pid namespace, into the program."""
    for number in _FORWARDED:
        signal.signal(number, signal.SIG_DFL)
    _checked(_libc.unshare(_CLONE_NEWNS), "unshare")
    # Slave: what the host unmounts goes here too, and nothing of ours goes out.
    _mount("none", Path("/"), flags=_MS_REC | _MS_SLAVE)
    new = build(Path(spec["root"]), [(Path(source), inside, flag) for source, inside, flag in spec["binds"]])
    os.chroot(new)
    os.chdir(spec["cwd"])
    _raise_limits()
    if not spec["privileged"]:
        _drop_privileges()
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
    if select.select([parent_alive], [], [], 0)[0]:
        os._exit(125)  # the parent ended before its death could be told
    try:
        os.execvpe(argv[0], argv, spec["env"])  # noqa: S606 - becoming the program is what this is for
    except FileNotFoundError:
        sys.stderr.write(f"{argv[0]}: not in the runtime root\n")
        sys.stderr.flush()
        os._exit(127)


def _handles(pid: int, number: int) -> bool:
    """Whether the process catches or ignores the signal, rather than leaving it at its default."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return True
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigCgt:", "SigIgn:"))]
    return any(mask & (1 << (number - 1)) for mask in masks)


def _watch(pid: int, tell: int) -> NoReturn:
    """Pass signals on to the program, which starts when `tell` closes, and end as it ends."""

    def forward(number: int, _frame: object) -> None:
        deadly = number in _DEADLY and not _handles(pid, number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if deadly else number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    os.close(tell)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        os._exit(code)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    os._exit(125)


def main(arguments: list[str]) -> NoReturn:
    """Run the program that the arguments describe; never returns."""
    spec, argv = json.loads(arguments[0]), arguments[2:]
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
    if not Path(f"/proc/{spec['parent']}").exists():
        os._exit(125)
    if spec["lock"]:
        # Held for life: a root in use is never pruned.
        fcntl.flock(os.open(spec["lock"], os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), fcntl.LOCK_SH)
    try:
        _checked(_libc.unshare(_CLONE_NEWPID), "unshare (needs root and CAP_SYS_ADMIN)")
        parent_alive, _held = os.pipe()
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(_held)
            os.close(tell)
            os.read(told, 1)
            _become(spec, argv, parent_alive)
        os.close(parent_alive)
        if spec["pidfile"]:
            Path(spec["pidfile"]).write_text(f"{pid}\n", encoding="ascii")
        _watch(pid, tell)
    except OSError as error:
        sys.stderr.write(f"the runtime root cannot be entered: {error}\n")
        sys.stderr.flush()
        os._exit(125)


if __name__ == "__main__":
    main(sys.argv[1:])
