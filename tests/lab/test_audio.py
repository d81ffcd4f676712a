from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ivr.lab import audio
from ivr.lab.heard import on_time_axis
from ivr.prompts.alaw import decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.unit

RATE = 8_000


def sine(hz: float, seconds: float, dbfs: float = -12.0) -> NDArray[np.int16]:
    when = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(32_767 * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * when), dtype=np.int16)


def noise(seconds: float, dbfs: float, seed: int = 1) -> NDArray[np.int16]:
    level = 32_767 * 10 ** (dbfs / 20)
    return np.asarray(np.random.default_rng(seed).normal(0, level, round(seconds * RATE)), dtype=np.int16)


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(round(seconds * RATE), dtype=np.int16)


def voice(seconds: float, seed: int = 7) -> NDArray[np.int16]:
    """Something like speech: a varying pitch with overtones, in syllables with pauses between."""
    chance = np.random.default_rng(seed)
    count = round(seconds * RATE)
    knots = np.arange(0, seconds + 0.2, 0.2)
    when = np.arange(count) / RATE
    phase = 2 * np.pi * np.cumsum(np.interp(when, knots, chance.uniform(100, 220, len(knots)))) / RATE
    loud = np.interp(when, knots, chance.choice([0.0, 0.3, 1.0], len(knots)))
    sound = sum(np.sin(k * phase + k) / k for k in range(1, 12)) * loud
    return np.asarray(6_000 * sound, dtype=np.int16)


def alaw(pcm: NDArray[Any]) -> NDArray[np.int16]:
    return decode(encode(pcm.astype(np.int16)))


def slower(pcm: NDArray[np.int16], ppm: float) -> NDArray[np.int16]:
    """The same sound, played by a clock that runs slow by `ppm`."""
    at = np.arange(int(len(pcm) * (1 + ppm * 1e-6))) / (1 + ppm * 1e-6)
    return np.asarray(np.interp(at, np.arange(len(pcm)), pcm.astype(float)), dtype=np.int16)


class TestTone:
    def test_a_pure_tone_stands_far_over_the_rest_even_in_alaw(self) -> None:
        assert audio.tone_db_over_rest(alaw(sine(440, 1)), RATE, 440) > 30

    @pytest.mark.parametrize("hz", [425.0, 440.0, 620.0, 1_004.5])
    def test_another_tone_does_not_count(self, hz: float) -> None:
        assert audio.tone_db_over_rest(sine(hz, 1), RATE, hz + 80) < -20

    def test_the_ratio_is_in_decibels(self) -> None:
        mixed = sine(440, 2, -12) + sine(1_000, 2, -32)
        assert audio.tone_db_over_rest(mixed, RATE, 440) == pytest.approx(20, abs=0.2)

    def test_silence_and_nothing_are_no_tone(self) -> None:
        assert audio.tone_db_over_rest(silence(1), RATE, 440) == audio.NOTHING_DB
        assert audio.tone_db_over_rest(silence(0), RATE, 440) == audio.NOTHING_DB

    def test_the_longest_stretch_is_found_with_its_place(self) -> None:
        heard = np.concatenate([silence(1), sine(440, 0.5), noise(0.7, -20), sine(440, 1.5), sine(620, 2)])
        found = audio.longest_tone(heard, RATE, 440)
        assert found.seconds == pytest.approx(1.5, abs=0.1)
        assert found.start == pytest.approx(2.2, abs=0.06)
        assert found.end == pytest.approx(3.7, abs=0.06)

    def test_a_hole_of_40_ms_ends_a_stretch(self) -> None:
        heard = np.concatenate([sine(440, 1), silence(0.04), sine(440, 1)])
        assert audio.longest_tone(heard, RATE, 440).seconds < 1.1

    def test_a_tone_under_speech_is_no_tone(self) -> None:
        assert audio.longest_tone(voice(3) // 2 + sine(440, 3, -30), RATE, 440).seconds < 1.0

    def test_a_tone_too_soft_to_be_heard_does_not_count(self) -> None:
        assert audio.longest_tone(sine(440, 2, -60), RATE, 440).seconds == 0.0

    def test_shorter_than_a_window_is_nothing(self) -> None:
        assert audio.longest_tone(sine(440, 0.05), RATE, 440) == audio.Stretch(0.0, 0.0)


class TestSilence:
    def test_the_longest_gap_is_found_with_its_place(self) -> None:
        heard = np.concatenate([sine(440, 1), silence(0.3), sine(440, 1), silence(0.8), sine(440, 1)])
        found = audio.longest_silence(heard, RATE)
        assert found.seconds == pytest.approx(0.8, abs=0.03)
        assert found.start == pytest.approx(2.3, abs=0.03)

    def test_sound_without_a_gap_has_none(self) -> None:
        assert audio.longest_silence(sine(440, 2), RATE).seconds == 0.0

    def test_the_idle_noise_of_alaw_is_silence(self) -> None:
        assert audio.longest_silence(alaw(silence(1)), RATE).seconds == pytest.approx(1.0, abs=0.02)

    def test_level(self) -> None:
        assert audio.level_dbfs(sine(440, 1, 0)) == pytest.approx(-3.0, abs=0.1)
        assert audio.level_dbfs(silence(1)) == audio.NOTHING_DB


class TestCorrelation:
    def test_the_same_sound_is_1(self) -> None:
        assert audio.correlation(voice(4), voice(4)) == pytest.approx(1.0, abs=1e-6)

    def test_another_sound_is_not(self) -> None:
        assert audio.correlation(voice(6, seed=8), voice(4, seed=7)) < 0.5
        assert audio.correlation(noise(6, -20), voice(4)) < 0.4

    def test_delay_coding_and_level_do_not_matter(self) -> None:
        heard = np.concatenate([noise(1.2345, -50), alaw(voice(4) // 3), silence(1)])
        found = audio.find(heard, voice(4))
        assert found.score > 0.98
        assert found.delay == pytest.approx(1.2345, abs=0.001)

    @pytest.mark.parametrize("ppm", [-200.0, 50.0, 200.0])
    def test_a_clock_that_runs_off_does_not_matter(self, ppm: float) -> None:
        reference = voice(20)
        heard = np.concatenate([silence(0.5), slower(reference, ppm)])
        found = audio.find(heard, reference)
        assert found.score > 0.97
        assert found.skew_ppm == pytest.approx(ppm, abs=40)

    def test_a_lost_packet_costs_little(self) -> None:
        reference = voice(4)
        heard = np.delete(reference, slice(16_000, 16_160))
        assert 0.9 < audio.correlation(heard, reference) < 1.0

    def test_a_first_packet_that_never_came_costs_only_itself(self) -> None:
        found = audio.find(alaw(voice(2))[160:], voice(2))
        assert found.score > 0.9
        assert found.delay == pytest.approx(-0.02, abs=0.001)

    def test_what_was_not_heard_counts_as_nothing(self) -> None:
        reference = voice(8)
        energy = np.cumsum(reference.astype(float) ** 2)
        half = int(np.searchsorted(energy, energy[-1] / 2))
        assert audio.correlation(reference[:half], reference) == pytest.approx(0.5, abs=0.1)

    def test_nothing_resembles_nothing(self) -> None:
        assert audio.correlation(silence(0), voice(1)) == 0.0
        assert audio.correlation(voice(1), silence(1)) == 0.0
        assert audio.correlation(voice(1), silence(0)) == 0.0
        assert audio.correlation(silence(2), voice(1)) == 0.0


class TestHeard:
    TICK = 20_000_000

    def chunks(self, *ticks: int) -> list[tuple[int, int]]:
        return [(1_000_000_000 + tick * self.TICK, 160) for tick in ticks]

    def test_chunks_without_gaps_stand_side_by_side(self) -> None:
        pcm = sine(440, 0.2)
        heard = on_time_axis(self.chunks(*range(10)), pcm.tobytes())
        assert np.array_equal(heard.pcm, pcm)
        assert heard.start_ns == 1_000_000_000 - self.TICK

    def test_what_never_came_is_silence_as_long_as_it_was(self) -> None:
        heard = on_time_axis(self.chunks(*range(10), *range(35, 45)), sine(440, 0.4).tobytes())
        assert heard.seconds == pytest.approx(0.9)
        assert audio.longest_silence(heard.pcm, RATE).seconds == pytest.approx(0.5, abs=0.03)

    def test_what_came_late_in_one_piece_is_no_gap(self) -> None:
        late = [*self.chunks(*range(10)), (1_000_000_000 + 24 * self.TICK, 160 * 15), *self.chunks(*range(25, 30))]
        heard = on_time_axis(late, sine(440, 0.6).tobytes())
        assert heard.seconds == pytest.approx(0.6)

    def test_a_part_is_cut_by_instants(self) -> None:
        heard = on_time_axis(self.chunks(*range(50)), sine(440, 1).tobytes())
        part = heard.between(heard.start_ns + 250_000_000, heard.start_ns + 750_000_000)
        assert part.seconds == pytest.approx(0.5)
        assert part.start_ns == heard.start_ns + 250_000_000
        assert heard.between(heard.end_ns).seconds == 0.0
        assert heard.between(0).seconds == 1.0

    def test_nothing_heard_is_empty(self) -> None:
        assert on_time_axis([], b"").seconds == 0.0
