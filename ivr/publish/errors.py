"""Why a plan was not published, or not read, as sentences for the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.errors import IvrError

if TYPE_CHECKING:
    from ivr.publish.version import Version


class PublishError(IvrError):
    """A sentence in French that says what is wrong and what to do."""

    language = "fr"


class StoreAway(PublishError):
    """Redis does not answer: what is in force cannot be read or changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Redis ne répond pas ({reason}). Vérifiez qu'il tourne, et IVR_REDIS_URL.")


class Overtaken(PublishError):
    """Somebody else published between the reading of the diff and its publication."""

    def __init__(self, now: Version) -> None:
        self.now = now
        super().__init__(
            f"{now.author} a publié la version {now.number} entre-temps : relisez le diff (« ivr plan diff »), "
            "puis recommencez."
        )


class NoSuchVersion(PublishError):
    """No version of that number was ever published."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Aucune version {number} : « ivr plan history » donne la liste.")
