"""What may happen to a call, drawn by chance: its inputs, plans and hours."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from ivr.core import inputs as ev
from ivr.core.plan import AgentId, HoursId, TopicId
from ivr.core.schedule import ALWAYS_OPEN, Calendar, Span, Timeline
from tests.core.story import NOW, PLAN, Story
from tests.plans import rich_plan

MANY = replace(PLAN, topics={id_: replace(topic, strategy="ring-many") for id_, topic in PLAN.topics.items()})
RICH = rich_plan()
SERIALS = st.integers(0, 40)
TOKENS = st.sampled_from(["e:1", "e:2", "e:3"])
INPUTS: st.SearchStrategy[ev.Input] = st.one_of(
    st.builds(ev.Started, st.booleans()),
    st.builds(
        ev.Adopted,
        st.dictionaries(TOKENS, st.sampled_from(["none", "ringing", "up"])).map(lambda legs: tuple(legs.items())),
        st.none() | TOKENS,
        st.booleans(),
        st.lists(SERIALS, max_size=3).map(tuple),
    ),
    st.builds(ev.Digit, st.sampled_from([*"0123456789*#", "A"])),
    st.builds(ev.PromptDone, SERIALS, st.booleans()),
    st.builds(ev.TimerFired, SERIALS),
    st.builds(ev.Queued, st.integers(0, 5), st.booleans()),
    st.builds(ev.Queued, st.integers(0, 5), st.booleans(), st.sampled_from(["etat-civil", "accueil"])),
    st.just(ev.HoursChanged()),
    st.just(ev.QueueLost()),
    st.just(ev.Unstaffed()),
    st.just(ev.Overflowed()),
    st.builds(ev.OfferMade, TOKENS, st.sampled_from([AgentId("alice"), AgentId("bob")]), st.just(""), st.booleans()),
    st.builds(ev.OfferWithdrawn, TOKENS),
    st.builds(ev.AgentAnswered, TOKENS),
    st.builds(ev.AgentFailed, TOKENS, st.sampled_from(["miss", "busy", "failed"])),
    st.builds(ev.AgentLeft, TOKENS, st.booleans()),
    st.builds(ev.Accepted, TOKENS),
    st.builds(ev.AcceptRefused, TOKENS),
    st.builds(ev.BridgeFailed, TOKENS),
    st.builds(ev.RecordingDone, SERIALS, st.booleans()),
    st.just(ev.Promised()),
    st.just(ev.PromiseFailed()),
    st.just(ev.Dropped()),
)
CURRENT = st.sampled_from(["prompt", "timer", "input"])
PLANS = st.sampled_from([PLAN, MANY, RICH])


def hours(changes: list[int]) -> Timeline:
    """Open and closed in turn, from two hours before NOW on, each for so many seconds."""
    start, spans = NOW - 7_200_000, list[Span]()
    for n, seconds in enumerate(changes):
        spans.append(Span(start, start + seconds * 1000, open=n % 2 == 0, layer="weekly"))
        start += seconds * 1000
    return Timeline(tuple(spans))


TIMELINES = st.lists(st.integers(1, 8_000), max_size=6).map(hours)
CALENDARS = st.just(ALWAYS_OPEN) | st.builds(
    lambda site, own: Calendar(site, {TopicId("etat-civil"): HoursId("own")}, {HoursId("own"): own}),
    TIMELINES,
    TIMELINES,
)
STEPS = st.lists(st.tuples(CURRENT, INPUTS, st.integers(0, 90_000)), max_size=60)


def live(story: Story, which: str, happened: ev.Input) -> ev.Input:
    """Half of the inputs are the ones that the call waits for."""
    if which == "prompt":
        return ev.PromptDone(getattr(story.call.phase, "play", 0))
    if which == "timer":
        return ev.TimerFired(story.call.timer)
    return happened
