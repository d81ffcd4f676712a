"""The locked libraries as wheels in build/wheels, where the image takes them from."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ivr.lab.compose.teller import Teller

# What docker/ivr.Dockerfile is made from: Python 3.11 on glibc 2.36.
_PYTHON: Final = "3.11"
_ABI: Final = "cp311"
_GLIBC: Final = range(36, 16, -1)
_FETCH_S: Final = 900.0
_MARKER: Final = re.compile(r" ; python_full_version [^\\]*?(?= \\|$)", re.MULTILINE)


def for_the_image(lock: str) -> str:
    """Return the lock without the markers that this interpreter's own version would decide."""
    return _MARKER.sub("", lock)


def wheels(teller: Teller, project: Path) -> None:
    """Put exactly the wheels of requirements.txt into build/wheels; at once when they are there."""
    lock = for_the_image((project / "requirements.txt").read_text(encoding="utf-8"))
    folder, mark = project / "build" / "wheels", project / "build" / "wheels.key"
    key = hashlib.sha256(f"{_PYTHON} {platform.machine()} {lock}".encode()).hexdigest()
    if folder.is_dir() and mark.is_file() and mark.read_text(encoding="ascii") == key:
        return
    folder.parent.mkdir(exist_ok=True)
    mark.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--progress-bar", "off"]
    argv += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", _PYTHON]
    for tag in (_ABI, "abi3", "none"):
        argv += ["--abi", tag]
    for glibc in _GLIBC:
        argv += ["--platform", f"manylinux_2_{glibc}_{platform.machine()}"]
    with teller.step("fetching the locked wheels"), tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wanted, fetched = Path(scratch, "requirements.txt"), Path(scratch, "wheels")
        wanted.write_text(lock, encoding="utf-8")
        argv += ["--platform", f"manylinux2014_{platform.machine()}", "--dest", str(fetched)]
        teller.run([*argv, "--requirement", str(wanted)], cwd=project, limit_s=_FETCH_S)
        shutil.rmtree(folder, ignore_errors=True)
        fetched.rename(folder)
    mark.write_text(key, encoding="ascii")
