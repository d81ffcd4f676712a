"""What can go wrong with the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.errors import IvrError

if TYPE_CHECKING:
    from pathlib import Path


class LedgerError(IvrError):
    """The ledger did not take a write or answer a question; nothing may be promised on it."""


class JournalBusy(LedgerError):
    """Another process works on the promises that wait in the journal."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"un autre programme travaille sur le journal des promesses ({folder}) ; recommencez")
        self.folder = folder


class JournalUnreadable(LedgerError):
    """What waits in the journal cannot be looked at, or not be changed."""

    def __init__(self, folder: Path, error: OSError) -> None:
        reason = error.strerror or type(error).__name__
        super().__init__(
            f"le journal des promesses ({folder}) ne peut être lu ou écrit : {reason} ; "
            "lancez la commande sous l'utilisateur du service"
        )
        self.folder = folder


class UnknownFile(LedgerError):
    """No open file has that id."""

    def __init__(self, file: str) -> None:
        super().__init__(f"aucun dossier ouvert ne porte l'identifiant {file} ; `ivr files` les montre")
        self.file = file


class UnknownCall(LedgerError):
    """Neither the ledger nor the live stream has a line of that call."""

    def __init__(self, call: str) -> None:
        super().__init__(
            f"aucun appel ne porte l'identifiant {call} ; `ivr explain --list` montre les derniers appels, "
            "`ivr files --all` ceux qui ont laissé un dossier"
        )
        self.call = call
