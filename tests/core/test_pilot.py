"""The same caller is on the same side of a trial; a larger share only adds callers."""

from __future__ import annotations

import pytest

from ivr.core.pilot import piloted
from ivr.core.plan import HoursId, Information, Pilot, PromptId, TopicId, ToTopic
from ivr.core.schedule import ALWAYS_OPEN, Calendar, Span, Timeline

pytestmark = pytest.mark.unit
URBANISME, ACCUEIL = TopicId("urbanisme"), TopicId("accueil")
REFS = [f"ref-{n}" for n in range(2_000)]
MORNING = Calendar(hours={HoursId("essai"): Timeline((Span(0, 10, True, "weekly"), Span(10, 20, False, "weekly")))})


def side(share: float, ref: str, hours: str | None = None, now: int = 5, calendar: Calendar = ALWAYS_OPEN) -> TopicId:
    option = ToTopic(URBANISME, Pilot(ACCUEIL, share, HoursId(hours) if hours else None))
    return piloted(option, URBANISME, ref, calendar, now)


def test_no_trial_changes_nothing() -> None:
    assert piloted(ToTopic(URBANISME), URBANISME, "r", ALWAYS_OPEN, 0) == URBANISME
    assert piloted(Information(PromptId("x")), ACCUEIL, "r", ALWAYS_OPEN, 0) == ACCUEIL
    assert piloted(None, ACCUEIL, "r", ALWAYS_OPEN, 0) == ACCUEIL


def test_the_share_is_kept_and_grows_by_adding() -> None:
    chosen = {share: {ref for ref in REFS if side(share, ref) == URBANISME} for share in (0.0, 0.2, 0.5, 1.0)}
    assert chosen[0.0] == set()
    assert chosen[1.0] == set(REFS)
    assert chosen[0.2] < chosen[0.5]
    assert 0.17 < len(chosen[0.2]) / len(REFS) < 0.23


def test_only_within_its_hours() -> None:
    assert side(1.0, "r", "essai", now=5, calendar=MORNING) == URBANISME
    assert side(1.0, "r", "essai", now=15, calendar=MORNING) == ACCUEIL
