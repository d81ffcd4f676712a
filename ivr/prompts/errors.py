"""What can go wrong between a text and its sound."""

from __future__ import annotations

from ivr.errors import IvrError


class PromptError(IvrError):
    """A prompt has no sound; `prompt` is its id, empty when all are concerned."""

    def __init__(self, prompt: str, reason: str) -> None:
        self.prompt = prompt
        self.reason = reason
        super().__init__(prompt, reason)

    def __str__(self) -> str:
        return f"prompt {self.prompt}: {self.reason}" if self.prompt else self.reason
