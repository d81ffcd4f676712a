"""What goes over the wire, without a server."""

from __future__ import annotations

import json

import pytest

from ivr.core.plan import AgentId, GroupId, SiteId, TopicId
from ivr.queueing import commands, script
from ivr.queueing.errors import QueueFault, StateLost
from ivr.queueing.keys import Keys
from ivr.queueing.listener import parse
from ivr.queueing.model import (
    CallId,
    Changed,
    Epoch,
    Joined,
    News,
    NodeId,
    Refused,
    Routing,
    Step,
    Token,
    TopicRouting,
    Withdrawn,
)
from ivr.queueing.retry import Retry
from ivr.queueing.wire import Wire

pytestmark = pytest.mark.unit

WIRE = Wire(Keys(SiteId("pessac"), ("papers~0", "papers~1")), NodeId("a"))


def test_all_keys_share_one_hash_tag_and_are_known_before() -> None:
    assert WIRE.keys.all() == (
        "{pessac}:site", "{pessac}:calls", "{pessac}:agents", "{pessac}:offers", "{pessac}:deadlines",
        "{pessac}:events", "{pessac}:idle", "{pessac}:known", "{pessac}:w:papers~0", "{pessac}:w:papers~1",
    )  # fmt: skip
    assert WIRE.keys.offers_channel(NodeId("b")) == "{pessac}:offers:b"


def test_a_command_is_name_epoch_now_arguments_and_snapshot() -> None:
    command = commands.join(CallId("a-1.2"), NodeId("a"), TopicId("papers"), 1_790_000_000_123, snapshot="{}")
    keys, argv = WIRE.encode(command, 1_790_000_000_456, Epoch("e"))
    assert keys == WIRE.keys.all()
    assert argv[:3] == ("join", "e", "1790000000456")
    assert json.loads(argv[3]) == {
        "call": "a-1.2", "node": "a", "topic": "papers", "arrival": 1_790_000_000_123, "me": "a",
    }  # fmt: skip
    assert argv[4] == "{}"
    assert len(WIRE.encode(commands.reap(), 1, None)[1]) == 4


def test_a_routing_brings_its_keys() -> None:
    desk, civil = GroupId("desk"), GroupId("civil")
    widening = TopicRouting((Step(0, (desk,)), Step(60_000, (civil, desk))))
    routing = Routing({TopicId("school"): widening, TopicId("papers"): TopicRouting.plain()})
    keys, argv = WIRE.encode(commands.configure(routing), 1, Epoch("e"))
    names = [key.rpartition(":")[2] for key in keys[8:]]
    assert names == ["papers~0", "papers~1", "school~0", "school~1"]
    sent = json.loads(argv[3])["routing"]
    assert sent["groups"] == {"desk": ["school~0", "school~1"], "civil": ["school~1"]}
    assert [step["groups"] for step in sent["topics"]["school"]["steps"]] == [["desk"], ["desk", "civil"]]


def test_answers_are_read_as_bytes_or_text() -> None:
    command = commands.join(CallId("c"), NodeId("a"), TopicId("papers"), 1)
    body = ["status", "waiting", "staffed", "1", "position", "3"]
    expected = Joined(status="waiting", position=3, staffed=True)
    assert WIRE.decode(command, ["OK", body, [], [], []]) == expected
    assert WIRE.decode(command, [b"OK", [word.encode() for word in body], [], [], []]) == expected
    assert WIRE.decode(commands.resume(AgentId("ann")), [b"OK", b"1", [], [], []]) == Changed(changed=True)


def test_refusals_are_answers_faults_are_errors() -> None:
    assert WIRE.decode(commands.accept(Token("e:1")), [b"REFUSED", b"stale"]) == Refused(reason="stale")
    with pytest.raises(QueueFault, match="unknown agent"):
        WIRE.decode(commands.resume(AgentId("ann")), [b"REFUSED", b"unknown agent"])
    with pytest.raises(StateLost) as lost:
        WIRE.decode(commands.reap(), [b"STATE_LOST", b"other"])
    assert (lost.value.site, lost.value.found) == ("pessac", "other")


def test_messages_of_other_workers() -> None:
    body = b'{"token":"e:1","call":"c","node":"a","agent":"x","agent_node":"b","topic":"t","reason":"gone"}'
    assert parse(b"withdrawn\n" + body) == Withdrawn(
        Token("e:1"), CallId("c"), NodeId("a"), AgentId("x"), NodeId("b"), TopicId("t"), "gone"
    )
    assert parse(b'news\n{"call":"c","node":"a","kind":"unstaffed"}') == News(CallId("c"), NodeId("a"), "unstaffed")


@pytest.mark.parametrize("name", ["", "a|b", "a}b", "a{b", "a\nb", "a~1"])
def test_names_that_would_break_keys_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        commands.configure(Routing({TopicId(name): TopicRouting.plain(GroupId("desk"))}))
    with pytest.raises(ValueError, match="must not be empty"):
        Keys(SiteId(name))


def test_the_script_reads_no_clock_and_lets_nothing_expire() -> None:
    source = script.source()
    for word in ("'TIME'", "EXPIRE", "os.time", "os.clock", "math.random"):
        assert word not in source
    assert source.startswith(f"#!lua name={script.name()}\n")


def test_pauses_grow_to_a_limit() -> None:
    retry = Retry(first_ms=20, factor=3, max_ms=500)
    assert [retry.pause_s(n) for n in (1, 2, 3, 4)] == [0.02, 0.06, 0.18, 0.5]
