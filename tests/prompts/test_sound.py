"""A-law is G.711's; rate, band, level and loudness are what they are said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.prompts import alaw, music
from ivr.prompts.pipeline import HEAD_MS, PEAK_DB, TAIL_MS, TARGET_LUFS, duration_ms, finish
from ivr.prompts.recordings import read_recording
from ivr.prompts.sound import (
    FLOOR_DB,
    NARROW,
    TELEPHONE,
    WIDE,
    WIDEBAND,
    Audio,
    levelled,
    loudness,
    peak,
    shaped,
    to_words,
    trimmed,
)
from ivr.prompts.wav import read_wav, write_wav

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def sine(hertz: float, seconds: float, rate: int, amplitude: float = 0.5) -> Audio:
    time = np.arange(round(seconds * rate)) / rate
    return Audio(amplitude * np.sin(2 * np.pi * hertz * time), rate)


def rms(audio: Audio) -> float:
    middle = audio.samples[len(audio.samples) // 4 : -len(audio.samples) // 4]
    return float(np.sqrt(np.mean(middle**2)))


@pytest.mark.parametrize(
    ("sample", "code"),
    # The ends of G.711's segments, after its table 1a, and silence.
    [(0, 0xD5), (15, 0xD5), (16, 0xD4), (-1, 0x55), (-16, 0x55), (-17, 0x54), (511, 0xCA), (512, 0xF5),
     (1_024, 0xE5), (32_767, 0xAA), (-32_768, 0x2A), (16_384, 0xA5), (16_383, 0xBA)],
)  # fmt: skip
def test_alaw_codes_are_those_of_g711(sample: int, code: int) -> None:
    assert alaw.encode(np.array([sample], dtype=np.int16))[0] == code


def test_alaw_codes_survive_decoding() -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert (alaw.encode(alaw.decode(codes)) == codes).all()


def test_alaw_is_monotonic_and_near() -> None:
    samples = np.arange(-32_768, 32_768, dtype=np.int64)
    heard = alaw.decode(alaw.encode(samples.astype(np.int16))).astype(np.int64)
    assert (np.diff(heard) >= 0).all()
    assert (np.abs(heard - samples) <= np.maximum(8, np.abs(samples) / 32 + 8)).all()


def test_alaw_keeps_a_voice_clean() -> None:
    words = to_words(sine(1_000, 1, NARROW, 0.3)).astype(np.float64)
    noise = alaw.decode(alaw.encode(words.astype(np.int16))) - words
    assert 10 * np.log10(np.mean(words**2) / np.mean(noise**2)) > 36


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("target", [NARROW, WIDE])
def test_a_tone_keeps_its_pitch_level_and_length_at_any_rate(rate: int, target: int) -> None:
    heard = shaped(sine(1_000, 1, rate), target, TELEPHONE)
    assert abs(len(heard.samples) - target) <= 1
    assert rms(heard) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    spectrum = np.abs(np.fft.rfft(heard.samples))
    assert np.argmax(spectrum) * target / len(heard.samples) == pytest.approx(1_000, abs=2)


@pytest.mark.parametrize(
    ("hertz", "kept"), [(60, False), (100, False), (200, True), (3_400, True), (3_800, False), (5_000, False)]
)
def test_the_telephone_band_is_200_to_3400(hertz: float, kept: bool) -> None:
    ratio = rms(shaped(sine(hertz, 1, WIDE), NARROW, TELEPHONE)) / (0.5 / np.sqrt(2))
    assert ratio > 0.95 if kept else ratio < 0.01


def test_wideband_keeps_more() -> None:
    assert rms(shaped(sine(6_000, 1, 48_000), WIDE, WIDEBAND)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_loudness_is_that_of_bs1770() -> None:
    # The recommendation's own check: a 997 Hz sine at full scale in one channel is -3.01 LKFS.
    assert loudness(sine(997, 5, 48_000, 1.0)) == pytest.approx(-3.01, abs=0.05)
    assert loudness(sine(997, 5, NARROW, 0.1)) == pytest.approx(-23.01, abs=0.1)
    assert loudness(Audio(np.zeros(NARROW), NARROW)) == FLOOR_DB
    assert loudness(Audio(np.zeros(0), NARROW)) == FLOOR_DB


def test_silence_does_not_count_for_loudness() -> None:
    tone = sine(997, 2, NARROW, 0.1)
    padded = Audio(np.concatenate((tone.samples, np.zeros(4 * NARROW))), NARROW)
    assert loudness(padded) == pytest.approx(loudness(tone), abs=0.7)


@given(st.floats(min_value=0.001, max_value=1.0))
def test_any_level_becomes_the_same(amplitude: float) -> None:
    result = levelled(sine(800, 0.6, NARROW, amplitude), -23, -3)
    assert loudness(result) == pytest.approx(-23, abs=0.1)


@given(st.floats(min_value=-30, max_value=20))
def test_no_peak_passes_the_ceiling(target: float) -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, NARROW)
    assert peak(levelled(Audio(noise, NARROW), target, -3)) <= -3 + 1e-9


def test_trimming_leaves_the_voice_and_a_breath() -> None:
    quiet = np.random.default_rng(1).normal(0, 1e-5, WIDE)
    voice = sine(500, 0.5, WIDE).samples
    found = trimmed(Audio(np.concatenate((quiet, voice, quiet)), WIDE))
    assert found.seconds == pytest.approx(0.54, abs=0.03)
    assert len(trimmed(Audio(quiet, WIDE)).samples) == 0
    assert len(trimmed(Audio(np.zeros(3), WIDE)).samples) == 0


def test_a_finished_prompt_is_levelled_with_silence_around() -> None:
    time = np.arange(2 * WIDE) / WIDE
    speech = sine(700, 2, WIDE, 0.05).samples * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * time))
    product = finish(Audio(speech, WIDE))
    assert product is not None
    assert product.ms == pytest.approx(2_000 + HEAD_MS + TAIL_MS, abs=30)
    assert len(product.alaw) == product.ms * 8
    assert len(product.sln16) == pytest.approx(product.ms * 32, abs=64)
    assert product.lufs == pytest.approx(TARGET_LUFS, abs=0.5)
    assert product.peak_db <= PEAK_DB
    heard = alaw.decode(np.frombuffer(product.alaw, np.uint8)).astype(np.int64)
    assert np.abs(heard[: HEAD_MS * 8 - 400]).max() <= 8, "silence before"
    assert np.abs(heard[-(TAIL_MS * 8 - 400) :]).max() <= 8, "silence after"


def test_silence_is_no_prompt() -> None:
    assert finish(Audio(np.zeros(WIDE), WIDE)) is None
    assert finish(Audio(np.zeros(0), WIDE)) is None
    assert finish(sine(30, 1, WIDE, 0.1)) is None, "nothing of it passes a telephone"


def test_lengths_are_read_from_the_files(tmp_path: Path) -> None:
    for name, size in (("a.alaw", 8_000), ("a.sln16", 32_000)):
        (tmp_path / name).write_bytes(bytes(size))
        assert duration_ms(tmp_path / name) == 1_000


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_wav_is_read(width: int, channels: int, tmp_path: Path) -> None:
    import wave  # noqa: PLC0415 - only to write what recorders write

    tone = sine(440, 0.2, 44_100).samples
    scaled = np.round(tone * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    if width == 1:
        scaled += 128
    raw = b"".join((int(value) & (2 ** (8 * width) - 1)).to_bytes(width, "little") * channels for value in scaled)
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(44_100)
        file.writeframes(raw)
    found = read_wav(path)
    assert found.rate == 44_100
    assert np.allclose(found.samples, tone, atol=0.01 if width == 1 else 1e-4)


def test_recordings_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    cases = {
        "": sine(500, 1, WIDE, 0.3),
        "the sound clips": Audio(np.clip(sine(500, 1, WIDE, 3).samples, -1, 1), WIDE),
        "it is too quiet": sine(500, 1, WIDE, 0.003),
        "nothing is heard in it": Audio(np.zeros(WIDE), WIDE),
        "it lasts 95 s": sine(500, 95, NARROW, 0.3),
    }
    for flaw, audio in cases.items():
        write_wav(path, audio)
        assert [found.en for found in read_recording(path).flaws] == ([flaw] if flaw else [])


def test_the_music_is_long_quiet_and_without_a_seam() -> None:
    loop = music.hold_music()
    assert loop.seconds >= 60
    assert loudness(loop) == pytest.approx(-23, abs=0.1)
    assert peak(loop) < -6
    steps = np.abs(np.diff(loop.samples))
    assert abs(loop.samples[0] - loop.samples[-1]) <= steps.max()
    seconds = loop.samples[: len(loop.samples) // NARROW * NARROW].reshape(-1, NARROW)
    assert (np.sqrt(np.mean(seconds**2, axis=1)) > 0.03).all(), "it never falls silent"
