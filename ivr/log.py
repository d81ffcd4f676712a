"""Logs: JSON lines with the call's id bound, telephone numbers masked.

A number never stands in a log: any run of six digits or more in a value, and any number in
the French way of writing, is masked down to its last two, whatever the key. Ids of calls and
channels are exempt, wherever they stand (`a-1790000000.12`: a node, the second of the arrival),
and so are digests of 16 hexadecimal digits: what a caller, or a plan, is called in a log.
"""

from __future__ import annotations

import io
import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

_NUMBER: Final = re.compile(
    r"(?P<id>\b(?=\d*[a-f])[0-9a-f]{16}\b|\b[a-z][a-z0-9]{0,15}-1\d{9}\.\d+\b)"
    r"|(?:\+33|\b0) ?[1-9](?:[ .-]\d\d){4}\b|\+?\d{6,}"
)
_LEAST_NUMBER: Final = 10**8
_EXEMPT: Final = frozenset({"call", "channel", "leg", "bridge", "token", "timestamp", "at", "epoch", "worker"})


class _StandardError(io.TextIOBase):
    """Standard error as it is when a line is written: loggers outlive a redirection of it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STANDARD_ERROR: Final = cast("TextIO", _StandardError())


def mask(text: str) -> str:
    """Return the text with every telephone number masked down to its last two digits."""
    return _NUMBER.sub(lambda found: found["id"] or "•" * (len(found[0]) - 2) + found[0][-2:], text)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {_masked(name): _masked(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked(part) for part in value]
    if value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < _LEAST_NUMBER):
        return value
    return mask(str(value))


def _mask_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if key not in _EXEMPT:
            event[key] = _masked(value)
    return event


def configure(level: str = "info", *, pretty: bool = False) -> None:
    """Send every log line to standard error: JSON, or coloured columns when `pretty`."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, _mask_values, renderer]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=_STANDARD_ERROR),
        cache_logger_on_first_use=True,
    )
    _adopt_others(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_forget_record, *last]))


def _adopt_others(formatter: logging.Formatter) -> None:
    """Have what libraries and the event loop log written as ours is, masked; warnings and errors alone."""
    root = logging.getLogger()
    for known in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(known)
    handler = _Handler(_STANDARD_ERROR)
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)


class _Handler(logging.StreamHandler[TextIO]):
    """Our own, to be told from others."""


def _forget_record(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop what the standard library's record is carried in; its text and its exception stay."""
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    event.setdefault("part", "library")
    return event


def get(part: str) -> FilteringBoundLogger:
    """Return the logger of a part of the product."""
    logger: FilteringBoundLogger = structlog.get_logger(part=part)
    return logger
