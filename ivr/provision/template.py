"""`@{NAME}` placeholders: every one is known, and every value given is used somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ivr.provision.options import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACEHOLDER: Final = re.compile(r"@\{([^}\n]*)\}")


def fill(templates: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return each template with its placeholders replaced, by file name.

    Raises `ProvisionError` naming every placeholder without a value (with file and
    line) and every value that no template uses: both mean that a template and the
    code have drifted apart.
    """
    faults: list[str] = []
    used: set[str] = set()
    filled: dict[str, str] = {}
    for name, text in sorted(templates.items()):
        for match in _PLACEHOLDER.finditer(text):
            key = match.group(1)
            if key in values:
                used.add(key)
            else:
                line = text.count("\n", 0, match.start()) + 1
                faults.append(f"{name}:{line}: unknown placeholder @{{{key}}}")
        filled[name] = _PLACEHOLDER.sub(lambda match: values.get(match.group(1), ""), text)
    faults += [f"unused value {key}" for key in sorted(set(values) - used)]
    if faults:
        raise ProvisionError("; ".join(faults))
    return filled
