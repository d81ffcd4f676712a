"""Whether every call comes to its end once faults and choices stop.

`onward` is the graph of the moves that are not excused. It must hold no circle, and its longest way must be short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

MOST_STEPS: Final = 150
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Longest:
    """The longest ways that are left after the last fault and the last choice, in steps and in time."""

    steps: int
    ms: int
    state: int = 0


def circle(onward: Sequence[Sequence[tuple[int, int]]]) -> list[int] | None:
    """Return the states of a circle, from the one nearest to a call's arrival on; None when there is none."""
    colour = bytearray(len(onward))
    for root in range(len(onward)):
        if colour[root]:
            continue
        path: list[int] = [root]
        stack = [iter(onward[root])]
        colour[root] = 1
        while stack:
            for to, _ms in stack[-1]:
                if to < 0 or colour[to] == 2:  # noqa: PLR2004 - done with
                    continue
                if colour[to] == 1:
                    around = path[path.index(to) :]
                    first = around.index(min(around))
                    return around[first:] + around[:first]
                colour[to] = 1
                path.append(to)
                stack.append(iter(onward[to]))
                break
            else:
                stack.pop()
                colour[path.pop()] = 2
    return None


def dead_end(onward: Sequence[Sequence[tuple[int, int]]], but: Container[int]) -> int | None:
    """Return the first state, other than `but`, that nothing but a fault or a choice can leave; None: there is none."""
    return next((state for state, ways in enumerate(onward) if not ways and state not in but), None)


def longest(onward: Sequence[Sequence[tuple[int, int]]]) -> Longest:
    """Return the longest ways through a graph without circles."""
    steps, times = [-1] * len(onward), [0] * len(onward)
    for root in range(len(onward)):
        stack = [root]
        while stack:
            state = stack[-1]
            if steps[state] >= 0:
                stack.pop()
                continue
            missing = [to for to, _ in onward[state] if to >= 0 and steps[to] < 0]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            steps[state] = max((1 + (steps[to] if to >= 0 else 0) for to, _ in onward[state]), default=0)
            times[state] = max((ms + (times[to] if to >= 0 else 0) for to, ms in onward[state]), default=0)
    worst = max(range(len(onward)), key=times.__getitem__, default=0)
    return Longest(max(steps, default=0), max(times, default=0), worst)
