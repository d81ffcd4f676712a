"""A process that owns a stack, tells about it in a line of JSON, and then waits to be killed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from ivr.stack.stack import Stack, StackConfig
from tests.plans import small_plan


async def main() -> None:
    async with Stack(StackConfig(plan=small_plan(), prompts_dir=Path(sys.argv[1]))) as stack:
        told = {
            "state": str(stack.state_dir),
            "pids": [stack.redis.pid, stack.asterisk.pid, stack.redis.supervisor_pid, stack.asterisk.supervisor_pid],
            "sip": stack.sip_port,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    # A shell's background job ignores it, and so would we.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
