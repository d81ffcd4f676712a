"""What can go wrong with the ledger."""

from __future__ import annotations

from ivr.errors import IvrError


class LedgerError(IvrError):
    """The ledger did not take a write or answer a question; nothing may be promised on it."""


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
