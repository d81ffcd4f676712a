"""What turns texts into speech: a protocol, and the engines that fulfil it.

`pico` speaks inside the runtime root and is the default; `piper` is a subprocess that an
operator installs with a voice; `tone` makes sounds that only tests listen to.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from ivr.prompts.errors import PromptError
from ivr.prompts.sound import WIDE, Audio
from ivr.prompts.wav import read_wav

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Spoken = Callable[[str, Audio], None]


class Synthesiser(Protocol):
    """Speaks texts. `identity` changes whenever the same text would sound otherwise."""

    @property
    def identity(self) -> str:
        """Return engine, version, voice and speed, for the cache and the report."""
        ...

    def speak(self, texts: Mapping[str, str], language: str, spoken: Spoken) -> None:
        """Call `spoken(prompt, audio)` for every text, in any order; PromptError if one fails."""
        ...


class RootCommands(Protocol):
    """The part of the runtime root that an engine needs: see `ivr.stack.root.Root`."""

    @property
    def packages(self) -> Mapping[str, str]:
        """Return the versions of the packages inside."""
        ...

    def command(self, argv: Sequence[str], *, binds: Mapping[Path, str] | None = None) -> list[str]:
        """Return the argv that runs `argv` inside the root, with host folders bound."""
        ...


_INSIDE: Final = "/mnt"
_VOICES: Final = {"fr": "fr-FR", "en": "en-GB"}
# One shell for all prompts: it is told the names (numbers) on its input, and tells each
# one's end on its output. Texts are files, so that none is ever read as an option.
_PICO: Final = (
    'cd "$0" && xargs -P "$2" -n 1 sh -c \''
    'if out=$({ pico2wave -l "$0" -w "$1.part.wav" "$(cat "$1.txt")" && mv "$1.part.wav" "$1.wav"; } 2>&1); '
    'then echo "$1 ok"; else echo "$1 failed" $out; fi\' "$1"'
)


@dataclass(frozen=True, slots=True)
class Pico:
    """pico2wave inside the runtime root; `speed` in percent, 100 is the voice's own."""

    root: RootCommands
    speed: int = 95
    jobs: int = field(default_factory=lambda: max(1, min(4, os.cpu_count() or 1)))

    @property
    def identity(self) -> str:
        """Return engine, version and speed."""
        return f"pico {self.root.packages.get('libttspico-utils', '?')} speed {self.speed}"

    def speak(self, texts: Mapping[str, str], language: str, spoken: Spoken) -> None:
        """Speak all texts in one run of the root, several at once."""
        if language not in _VOICES:
            raise PromptError("", f"pico has no voice for {language!r}")
        names = dict(enumerate(texts))
        left = set(names)
        with tempfile.TemporaryDirectory(prefix="standardiste-pico-") as temporary:
            folder = Path(temporary)
            for number, name in names.items():
                (folder / f"{number}.txt").write_text(self._marked(texts[name]), encoding="utf-8")
            inner = ["/bin/sh", "-c", _PICO, _INSIDE, _VOICES[language], str(self.jobs)]
            argv = self.root.command(inner, binds={folder: _INSIDE})
            with _running(argv, "\n".join(map(str, names)) + "\n", 30 + 5 * len(names)) as lines:
                for line in lines:
                    told, _, outcome = line.strip().partition(" ")
                    number = int(told) if told.isdigit() else -1
                    if number not in left:
                        continue
                    name = names[number]
                    if outcome != "ok":
                        raise PromptError(name, f"pico2wave: {outcome.removeprefix('failed').strip() or 'failed'}")
                    left.discard(number)
                    spoken(name, read_wav(folder / f"{number}.wav", name))
        if left:
            raise PromptError(names[min(left)], "pico2wave ended before it was spoken")

    def _marked(self, text: str) -> str:
        plain = text.replace("<", " ").replace(">", " ").replace("&", " et ")
        return f'<speed level="{self.speed}">{plain}</speed>'


@dataclass(frozen=True, slots=True)
class Piper:
    """The `piper` program with a voice's model file (.onnx, its .onnx.json beside it)."""

    program: Path
    voice: Path
    length_scale: float = 1.05

    @property
    def identity(self) -> str:
        """Return engine, voice (by its content's size and name) and speed."""
        size = self.voice.stat().st_size if self.voice.exists() else 0
        return f"piper {self.voice.name} {size} scale {self.length_scale}"

    def speak(self, texts: Mapping[str, str], language: str, spoken: Spoken) -> None:
        """Speak the texts one after the other."""
        del language  # a voice has one: it was chosen for it
        if shutil.which(str(self.program)) is None:
            raise PromptError("", f"piper is not there: {self.program}")
        if not self.voice.is_file():
            raise PromptError("", f"piper's voice is not there: {self.voice}")
        with tempfile.TemporaryDirectory(prefix="standardiste-piper-") as temporary:
            for name, text in texts.items():
                path = Path(temporary) / "spoken.wav"
                path.unlink(missing_ok=True)
                argv = [str(self.program), "--model", str(self.voice), "--output_file", str(path)]
                argv += ["--length_scale", str(self.length_scale), "--sentence_silence", "0.35"]
                self._run(name, argv, text)
                spoken(name, read_wav(path, name))

    def _run(self, name: str, argv: list[str], text: str) -> None:
        try:
            done = subprocess.run(argv, input=text + "\n", capture_output=True, text=True, timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PromptError(name, f"piper: {error}") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["failed"])[-1]
            raise PromptError(name, f"piper: {last} (exit {done.returncode})")


@dataclass(frozen=True, slots=True)
class Tone:
    """Notes instead of words, a different tune for each text: for tests alone."""

    ms_per_character: int = 20
    note_ms: int = 60

    @property
    def identity(self) -> str:
        """Return the tune's parameters."""
        return f"tone {self.ms_per_character} {self.note_ms}"

    def speak(self, texts: Mapping[str, str], language: str, spoken: Spoken) -> None:
        """Play the tune of every text."""
        for name, text in texts.items():
            spoken(name, self.tune(f"{language} {text}", len(text)))

    def tune(self, words: str, characters: int) -> Audio:
        """Return notes between 400 and 1,600 Hz drawn from the words' hash."""
        notes = max(4, characters * self.ms_per_character // self.note_ms)
        draw = hashlib.shake_256(words.encode()).digest(2 * notes)
        pitches = 400 + np.frombuffer(draw, "<u2").astype(np.float64) / 65_536 * 1_200
        size = WIDE * self.note_ms // 1_000
        phase = np.cumsum(np.repeat(pitches, size)) * (2 * np.pi / WIDE)
        return Audio(0.4 * np.sin(phase), WIDE)


@contextmanager
def _running(argv: Sequence[str], given: str, seconds: float) -> Iterator[Iterator[str]]:
    """Run a program, its input given, its output read line by line; it ends with the block."""
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        raise PromptError("", f"the voice cannot be started: {error}") from error
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        process.kill()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    with process:
        assert process.stdin is not None  # noqa: S101 - it was asked for above
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        timer.start()
        try:
            try:
                process.stdin.write(given)
                process.stdin.close()
            except BrokenPipeError:
                pass  # it has ended already: its status says why
            yield iter(process.stdout)
            status = process.wait()
            if expired.is_set():
                raise PromptError("", f"the voice was not done after {seconds:.0f} s")
            if status:
                last = (process.stderr.read().strip().splitlines() or ["no reason given"])[-1]
                raise PromptError("", f"the voice ended with status {status}: {last}")
        finally:
            timer.cancel()
            if process.poll() is None:
                process.kill()
