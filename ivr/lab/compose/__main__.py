"""`python -m ivr.lab.compose`: exit 0 when a call was put through the switchboard in Docker."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivr.errors import IvrError
from ivr.lab.compose.bases import bases
from ivr.lab.compose.composition import Composition
from ivr.lab.compose.engine import engine
from ivr.lab.compose.teller import ComposeTestError, Teller
from ivr.lab.compose.trial import TRUNK, place_call
from ivr.lab.compose.wheels import wheels
from ivr.plan import load
from ivr.stack import ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ivr.core.plan import Plan
    from ivr.stack.ports import Ports

_PROJECT: Final = Path(__file__).resolve().parents[3]
_PLAN: Final = "dialplan/pessac"
_LOOPBACK: Final = "127.0.0.1"
_HEALTHY_S: Final = 60.0


def main() -> int:
    """Run the test; a failure is one sentence, the last lines of every service, and exit 1."""
    parser = argparse.ArgumentParser(prog="make compose-test", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running until Enter is pressed")
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Teller(_PROJECT / ".run" / "compose-test.log") as teller:
        try:
            _test(teller, keep=keep)
        except IvrError as error:
            teller.say(f"compose-test: FAILED {error}", "red")
            teller.say(f"(all that was said: {teller.log})")
            return 1
        except KeyboardInterrupt:
            teller.say("compose-test: stopped")
            return 130
        teller.say(f"compose-test: ok ({time.monotonic() - teller.began:.0f} s)", "green")
        return 0


def _test(teller: Teller, *, keep: bool) -> None:
    plan = load(_PROJECT / _PLAN).plan
    if plan is None:
        raise ComposeTestError(f"{_PLAN} has faults: ivr check {_PLAN}")
    with contextlib.ExitStack() as ending:
        running = ending.enter_context(engine(teller))
        taken = ports.take(_LOOPBACK, _LOOPBACK)
        ending.callback(taken.release)
        settings = ending.enter_context(_settings(taken))
        composition = Composition(teller, running, _PROJECT, settings)
        composition.check()
        ending.enter_context(bases(teller, running))
        wheels(teller, _PROJECT)
        with teller.step("building the images"):
            composition.build()
        composition.down()  # what a killed test left
        ending.callback(_down, composition)
        try:
            _call(composition, plan, taken)
        except IvrError:
            teller.say(composition.logs(), "dim")
            raise
        if keep:
            teller.say(f"SIP on {_LOOPBACK}:{taken.sip}; Enter ends it")
            sys.stdin.readline()


def _call(composition: Composition, plan: Plan, taken: Ports) -> None:
    teller = composition.teller
    with teller.step("starting redis, asterisk and ivr"):
        composition.up()
        for service in ("redis", "emergency", "asterisk", "ivr"):
            composition.wait_healthy(service, _HEALTHY_S)
    # Whatever the hour is: the call is to meet people, not the closed door of the night.
    composition.inside("ivr", "ivr", "force", "open", "--until", "2 h", "--reason", "essai")
    with teller.step("one call, through to an agent"):
        registrar = f"{_LOOPBACK}:{taken.sip}"
        outcome = asyncio.run(place_call(plan, registrar, composition.agent_password))
    teller.say(
        f"  answered in {outcome.answered_ms} ms, prompt heard at {outcome.prompt_dbfs:.0f} dBFS, "
        f"agent rang {outcome.digit_to_ring_ms} ms after the key, both heard each other"
    )


def _down(composition: Composition) -> None:
    with composition.teller.step("ending all of it"):
        composition.down()


@contextlib.contextmanager
def _settings(taken: Ports) -> Iterator[Path]:
    """Give an env file with addresses that nobody else on this machine uses."""
    lines = {
        "IVR_PLAN": _PLAN,
        "IVR_SIP_BIND": f"{_LOOPBACK}:{taken.sip}",
        "IVR_ARI_URL": f"http://{_LOOPBACK}:{taken.http}/ari",
        "IVR_HTTP_BIND": f"{_LOOPBACK}:{taken.spare[0]}",
        "IVR_TRUNK_MATCH": f"{TRUNK}/32",
    }
    path = _PROJECT / ".run" / "compose-test.env"
    path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
