"""Texts become files once; recordings come first; what fails says which prompt and why."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rich.console import Console

from ivr.core.plan import BEEP, PromptId
from ivr.plan import load
from ivr.prompts import (
    Pico,
    Piper,
    PromptError,
    Tone,
    build,
    build_site,
    duration_ms,
    minutes_prompts,
    missing,
    number_prompt,
    number_texts,
    unusable_recordings,
)
from ivr.prompts.numbers import in_words
from ivr.prompts.sound import NARROW, WIDE, Audio
from ivr.prompts.studio import make_sounds
from ivr.prompts.wav import write_wav
from tests.plan.folders import PROMPTS, write
from tests.prompts.test_sound import sine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ivr.prompts.engines import Spoken

pytestmark = pytest.mark.long

BONJOUR = PromptId("bonjour")
MERCI = PromptId("merci")
TEXTS = {BONJOUR: "Bonjour, vous êtes à la mairie.", MERCI: "Merci."}


@dataclass(frozen=True)
class Counting(Tone):
    """The tone engine, which remembers what it was asked to speak."""

    asked: list[str] = field(default_factory=list)

    def speak(self, texts: Mapping[str, str], language: str, spoken: Spoken) -> None:
        self.asked.extend(texts)
        Tone.speak(self, texts, language, spoken)


def test_every_text_becomes_two_files_and_is_made_once(tmp_path: Path) -> None:
    engine = Counting()
    told: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, prompt: str) -> None:
        told.append((done, total, prompt))

    out, cache = tmp_path / "out", tmp_path / "cache"
    report = build(TEXTS, "fr", out, None, engine, progress, cache_dir=cache)
    assert report.made == 2
    assert told == [(1, 2, "bonjour"), (2, 2, "merci")]
    assert [built.path for built in report.prompts] == [out / "fr" / "bonjour.alaw", out / "fr" / "merci.alaw"]
    for built in report.prompts:
        assert built.ms == duration_ms(built.path)
        assert duration_ms(built.path.with_suffix(".sln16")) == pytest.approx(built.ms, abs=1)
        assert stat.S_IMODE(built.path.stat().st_mode) == 0o644, "Asterisk may read it"
    assert len(report.changed) == 4

    again = build(TEXTS, "fr", out, None, engine, cache_dir=cache)
    assert (again.made, again.changed) == (0, ())
    elsewhere = build(TEXTS, "fr", tmp_path / "other", None, engine, cache_dir=cache)
    assert (elsewhere.made, len(elsewhere.changed)) == (0, 4)
    changed = build({**TEXTS, MERCI: "Merci beaucoup."}, "fr", out, None, engine, cache_dir=cache)
    assert changed.made == 1
    assert engine.asked == ["bonjour", "merci", "merci"]


def test_the_same_words_are_spoken_once(tmp_path: Path) -> None:
    engine = Counting()
    build({BONJOUR: "Bonjour.", MERCI: "Bonjour."}, "fr", tmp_path, None, engine, cache_dir=tmp_path / "c")
    assert engine.asked == ["bonjour"]
    assert (tmp_path / "fr" / "bonjour.alaw").read_bytes() == (tmp_path / "fr" / "merci.alaw").read_bytes()


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = build(TEXTS, "fr", tmp_path / "a", None, Tone(), cache_dir=cache)
    whole = first.prompts[0].path.read_bytes()
    for path in cache.rglob("*.alaw"):
        path.write_bytes(b"damaged")
    second = build(TEXTS, "fr", tmp_path / "b", None, Tone(), cache_dir=cache)
    assert second.made == 2
    assert second.prompts[0].path.read_bytes() == whole


def test_another_engine_makes_other_sounds(tmp_path: Path) -> None:
    first = build(TEXTS, "fr", tmp_path, None, Tone(), cache_dir=tmp_path / "c")
    second = build(TEXTS, "fr", tmp_path, None, Tone(note_ms=80), cache_dir=tmp_path / "c")
    assert (second.made, len(second.changed)) == (2, 4)
    assert first.prompts[0].source != second.prompts[0].source


def test_a_recording_comes_first_and_any_rate_will_do(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded"
    (recorded / "fr").mkdir(parents=True)
    write_wav(recorded / "fr" / "merci.wav", sine(500, 1, 44_100, 0.05))
    engine = Counting()
    for texts in (TEXTS, {**TEXTS, MERCI: ""}):
        report = build(texts, "fr", tmp_path, recorded, engine, cache_dir=tmp_path / "c")
        assert report.recorded == 1
        assert {built.prompt: built.source for built in report.prompts}[MERCI] == "recorded"
        assert not report.warnings
    assert engine.asked == ["bonjour"]
    assert abs(duration_ms(tmp_path / "fr" / "merci.alaw") - 1_500) < 50


def test_a_poor_recording_is_told_and_used(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded"
    (recorded / "fr").mkdir(parents=True)
    loud = Audio(np.clip(sine(500, 1, WIDE, 4).samples, -1, 1), WIDE)
    write_wav(recorded / "fr" / "merci.wav", loud)
    report = build(TEXTS, "fr", tmp_path, recorded, Tone(), cache_dir=tmp_path / "c")
    assert "merci: the sound clips" in report.warnings


class Silent(Tone):
    """An engine that gives silence."""

    def speak(self, texts: Mapping[str, str], language: str, spoken: Spoken) -> None:
        for name in texts:
            spoken(name, Audio(np.zeros(NARROW), NARROW))


class Forgetful(Tone):
    """An engine that leaves out the last prompt."""

    def speak(self, texts: Mapping[str, str], language: str, spoken: Spoken) -> None:
        super().speak(dict(list(texts.items())[:-1]), language, spoken)


@pytest.mark.parametrize(
    ("engine", "prompt", "reason"),
    [(Silent(), "bonjour", "silence"), (Forgetful(), "merci", "gave no sound")],
)
def test_a_prompt_without_sound_is_an_error(engine: Tone, prompt: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=reason) as raised:
        build(TEXTS, "fr", tmp_path, None, engine, cache_dir=tmp_path / "c")
    assert raised.value.prompt == prompt


def test_a_prompt_without_text_or_recording_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"merci: there is neither a text nor recorded/fr/merci\.wav"):
        build({**TEXTS, MERCI: " "}, "fr", tmp_path, None, Tone(), cache_dir=tmp_path / "c")


def test_an_unreadable_recording_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "recorded" / "fr").mkdir(parents=True)
    (tmp_path / "recorded" / "fr" / "merci.wav").write_bytes(b"RIFFoops")
    with pytest.raises(PromptError, match=r"prompt merci: merci\.wav is not a readable"):
        build(TEXTS, "fr", tmp_path, tmp_path / "recorded", Tone(), cache_dir=tmp_path / "c")


@dataclass(frozen=True)
class Bare:
    """A runtime root that is this machine: commands run as they are, in the folder itself."""

    script: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)

    def command(self, argv: Sequence[str], *, binds: Mapping[Path, str] | None = None) -> list[str]:
        (folder,) = binds or {}
        tool = folder / "pico2wave"
        tool.write_text(f"#!/bin/sh\n{self.script}\n", encoding="utf-8")
        tool.chmod(0o755)
        inner = [str(folder) if word == "/mnt" else word for word in argv]
        return ["/usr/bin/env", f"PATH={folder}:/usr/bin:/bin", *inner]


def test_pico_is_given_files_and_never_options(tmp_path: Path) -> None:
    write_wav(tmp_path / "voice.wav", sine(500, 0.5, WIDE))
    heard = tmp_path / "heard"
    script = f'cp {tmp_path}/voice.wav "$4"; printf "%s|%s\\n" "$2" "$5" >> {heard}'
    engine = Pico(Bare(script, {"libttspico-utils": "1.0"}), jobs=2)
    texts = {PromptId("a"): "-x & $(touch /nowhere) `id`", PromptId("b"): "l'<été>"}
    report = build(texts, "fr", tmp_path / "out", None, engine, cache_dir=tmp_path / "c")
    assert report.made == 2
    assert engine.identity == "pico 1.0 speed 95"
    assert sorted(heard.read_text(encoding="utf-8").splitlines()) == [
        'fr-FR|<speed level="95">-x  et  $(touch /nowhere) `id`</speed>',
        'fr-FR|<speed level="95">l\' été </speed>',
    ]


def test_picos_failures_name_the_prompt(tmp_path: Path) -> None:
    for script, reason in (
        ("echo no such voice; exit 1", r"prompt bonjour: pico2wave: no such voice"),
        ('printf oops > "$4"', r"prompt bonjour: .* is not a readable PCM WAV"),
        ("exit 0", r"prompt bonjour: pico2wave: mv: .*"),
    ):
        with pytest.raises(PromptError, match=reason):
            build({BONJOUR: "x"}, "fr", tmp_path, None, Pico(Bare(script)), cache_dir=tmp_path / "c")
    with pytest.raises(PromptError, match="no voice for 'xx'"):
        build(TEXTS, "xx", tmp_path, None, Pico(Bare()), cache_dir=tmp_path / "c")


@dataclass(frozen=True)
class Broken:
    """A runtime root whose programs do not start, or end at once."""

    argv: tuple[str, ...]
    packages: Mapping[str, str] = field(default_factory=dict)

    def command(self, argv: Sequence[str], *, binds: Mapping[Path, str] | None = None) -> list[str]:
        return list(self.argv)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("/nonexistent/program",), "cannot be started"),
        (("/bin/sh", "-c", "echo broken root >&2; exit 3"), "status 3: broken root"),
        (("/bin/true",), "ended before it was spoken"),
    ],
)
def test_a_root_that_fails_is_an_error(argv: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=reason):
        build(TEXTS, "fr", tmp_path, None, Pico(Broken(argv)), cache_dir=tmp_path / "c")


def test_piper_is_a_program_with_a_voice(tmp_path: Path) -> None:
    voice, program, spoken = tmp_path / "fr.onnx", tmp_path / "piper", tmp_path / "voice.wav"
    engine = Piper(program, voice)
    with pytest.raises(PromptError, match="piper is not there"):
        build(TEXTS, "fr", tmp_path, None, engine, cache_dir=tmp_path / "c")
    program.write_text(f'#!/bin/sh\ncat > /dev/null\ncp {spoken} "$4"\n', encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(PromptError, match="voice is not there"):
        build(TEXTS, "fr", tmp_path, None, engine, cache_dir=tmp_path / "c")
    voice.write_bytes(b"model")
    with pytest.raises(PromptError, match=r"prompt bonjour: piper: cp: .*exit 1"):
        build(TEXTS, "fr", tmp_path, None, engine, cache_dir=tmp_path / "c")
    write_wav(spoken, sine(500, 0.5, 22_050))
    assert build(TEXTS, "fr", tmp_path, None, engine, cache_dir=tmp_path / "c").made == 2


def test_a_site_is_built_whole_and_checked(tmp_path: Path) -> None:
    (tmp_path / "plan").mkdir()
    folder = write(tmp_path / "plan", prompts=PROMPTS.replace("bonjour: Bonjour.", "bonjour: {fr: A, en: B}"))
    loaded = load(folder)
    out = tmp_path / "out"
    everything = missing(loaded, out)
    assert {fault.code for fault in everything} == {"prompt-not-built", "music-not-built"}
    place = next(fault for fault in everything if "« menu-suite »" in fault.message_fr)
    assert (place.line, place.column) == (5, 3)

    report = build_site(loaded, out, Tone(), cache_dir=tmp_path / "c")
    assert missing(loaded, out) == []
    assert report.music == out / "music" / "hold.alaw"
    assert duration_ms(report.music) > 60_000
    assert (out / "en" / "bonjour.alaw").is_file()
    assert (out / "fr" / "nombre-60.alaw").is_file()
    assert duration_ms(out / "en" / f"{BEEP}.alaw") == duration_ms(out / "fr" / f"{BEEP}.alaw") == 300
    assert report.warnings == ()
    assert build_site(loaded, out, Tone(), cache_dir=tmp_path / "c").changed == ()

    (out / "fr" / "phrase.alaw").unlink()
    (out / "fr" / "menu-suite.alaw").write_bytes(b"")
    write(folder, prompts=PROMPTS.replace("Bonjour.", "Bonsoir."))
    found = [(fault.code, fault.line) for fault in missing(load(folder), out)]
    assert found == [("prompt-outdated", 2), ("prompt-not-built", 3), ("prompt-not-built", 5)]

    build_site(load(folder), out, Tone(), cache_dir=tmp_path / "c")
    (out / "fr" / f"{BEEP}.alaw").unlink()
    (out / "music" / "hold.alaw").unlink()
    gone = missing(load(folder), out)
    assert [fault.code for fault in gone] == ["music-not-built", "prompt-not-built"]
    assert "« bip » (fr)" in gone[1].message_fr


def test_recordings_without_use_are_told(tmp_path: Path) -> None:
    loaded = load(write(tmp_path))
    recorded = tmp_path / "recorded" / "fr"
    recorded.mkdir(parents=True)
    write_wav(recorded / "bonjour.wav", sine(500, 1, WIDE, 0.3))
    write_wav(recorded / "bonsoir.wav", sine(500, 1, WIDE, 0.3))
    write_wav(recorded / "phrase.wav", Audio(np.zeros(WIDE), WIDE))
    (recorded / "menu-suite.wav").write_bytes(b"")
    assert [fault.message_en.split(": ", 1)[1] for fault in unusable_recordings(loaded)] == [
        "no prompt has this name.",
        "menu-suite.wav is not a readable PCM WAV file ().",
        "nothing is heard in it.",
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zéro"), (1, "un"), (11, "onze"), (17, "dix-sept"), (20, "vingt"), (21, "vingt et un"),
     (32, "trente-deux"), (51, "cinquante et un"), (60, "soixante")],
)  # fmt: skip
def test_numbers_are_french(number: int, words: str) -> None:
    assert in_words(number) == words


def test_minutes_agree() -> None:
    texts = number_texts()
    said = {minutes: " ".join(texts[prompt] for prompt in minutes_prompts(minutes)) for minutes in (1, 2, 11, 21)}
    assert said == {1: "une minute", 2: "deux minutes", 11: "onze minutes", 21: "vingt et une minutes"}
    assert number_prompt(12) == "nombre-12"
    assert len(texts) == 68
    assert in_words(42, "en") == "forty-two"
    with pytest.raises(ValueError, match="61"):
        number_prompt(61)


def test_no_voice_speaks_a_language_that_is_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the settings' file says, which the environment alone did not."""
    folder, said = tmp_path / "plan", tmp_path / "said"
    folder.mkdir()
    write(folder, prompts=PROMPTS.replace("Une phrase.", "{fr: Une phrase., en: A sentence.}"))
    write_wav(tmp_path / "voice.wav", sine(500, 0.5, 22_050))
    program = tmp_path / "piper"
    program.write_text(f'#!/bin/sh\nread -r text\necho "$2 $text" >> {said}\ncp {tmp_path}/voice.wav "$4"\n')
    program.chmod(0o755)
    for language in ("fr", "en"):
        (tmp_path / f"{language}.onnx").write_bytes(b"model")
    voices = f"fr={tmp_path}/fr.onnx,en={tmp_path}/en.onnx"
    (tmp_path / ".env").write_text(f"IVR_PIPER={program}\nIVR_PIPER_VOICE={voices}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_sounds(folder, tmp_path / "out", Console(quiet=True))
    lines = said.read_text(encoding="utf-8").splitlines()
    assert f"{tmp_path}/fr.onnx Une phrase." in lines
    assert f"{tmp_path}/en.onnx A sentence." in lines
    assert f"{tmp_path}/fr.onnx A sentence." not in lines
