"""The call plan that admins write in YAML: read, checked, compiled to `ivr.core.plan`."""

from __future__ import annotations

from ivr.plan.check import has_errors
from ivr.plan.faults import Fault, Place, PlanError, Severity, fault, warning
from ivr.plan.loader import Loaded, load, load_or_raise
from ivr.plan.report import format_faults

__all__ = [
    "Fault",
    "Loaded",
    "Place",
    "PlanError",
    "Severity",
    "fault",
    "format_faults",
    "has_errors",
    "load",
    "load_or_raise",
    "warning",
]
