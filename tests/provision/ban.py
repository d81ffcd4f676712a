"""Whom the fail2ban filter would ban by a log: by fail2ban itself where it is installed, and by its regex alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Final

BAN: Final = Path(__file__).parents[2] / "systemd" / "ban"
FILTER: Final = BAN / "fail2ban-filter.conf"
ADDRESS: Final = r"(?P<ip>\d{1,3}(?:\.\d{1,3}){3}|[\da-fA-F]*:[\da-fA-F:.]+)"
"""What fail2ban puts for <ADDR>: an address, never a name that it would have to look up."""
_DIGITS: Final = {"Y": r"\d{4}", "f": r"\d{1,6}", "z": r"[+-]\d{4}"}


def offenders(log: Path) -> list[str]:
    """The address of each line that counts against somebody, in the log's order."""
    by_regex = [ip for line in log.read_text(encoding="utf-8", errors="replace").split("\n") if (ip := offender(line))]
    program = shutil.which("fail2ban-regex")
    if program is not None:
        said = subprocess.run([program, "-o", "ip", str(log), str(FILTER)], capture_output=True, text=True, check=False)
        assert said.stdout.split() == by_regex, said.stderr
    return by_regex


def offender(line: str) -> str | None:
    """The address that one line counts against: first its date is cut out, as fail2ban does it."""
    parser = ConfigParser()
    parser.read(FILTER)
    definition = parser["Definition"]
    date = re.sub("%(.)", lambda token: _DIGITS.get(token[1], r"\d\d"), definition["datepattern"])
    rest, dated = re.subn(date, "", line)
    if not dated:
        return None
    for pattern in definition["failregex"].splitlines():
        if found := re.search(pattern.replace("<ADDR>", ADDRESS), rest):
            return found["ip"]
    return None
