"""What can go wrong between a worker and the site's shared state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.errors import IvrError

if TYPE_CHECKING:
    from ivr.core.plan import SiteId
    from ivr.queueing.model import Epoch


class QueueError(IvrError):
    """Root of this package's errors."""


class StateLost(QueueError):
    """The site's epoch is absent or another; nothing was written. Rebuild what you hold.

    `found` is the epoch in force, None when there is none.
    """

    def __init__(self, site: SiteId, found: Epoch | None) -> None:
        super().__init__(f"site {site}: state lost, epoch in force: {found or 'none'}")
        self.site = site
        self.found = found


class QueueUnavailable(QueueError):
    """Redis did not answer, after every try that the retry policy allows."""

    def __init__(self, site: SiteId, command: str, tries: int) -> None:
        super().__init__(f"site {site}: {command} failed {tries} times, Redis is away")
        self.site = site
        self.command = command
        self.tries = tries


class QueueFault(QueueError):
    """The command is wrong for this site (an unknown topic or agent): a defect of the caller.

    Nothing was written.
    """

    def __init__(self, site: SiteId, command: str, reason: str) -> None:
        super().__init__(f"site {site}: {command} refused: {reason}")
        self.site = site
        self.command = command
        self.reason = reason


class LinesMoved(QueueError):
    """The routing in force names lines that the command's keys lack; never leaves this package."""

    def __init__(self, site: SiteId, lines: tuple[str, ...]) -> None:
        super().__init__(f"site {site}: the routing in force has other lines: {', '.join(lines)}")
        self.site = site
        self.lines = lines
