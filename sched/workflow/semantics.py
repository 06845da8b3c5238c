"""What each control block does with a token (specification, section 7), in pure Python.

Shared by the reference executor, which decides by values, and by the explorer, which tries
every decision.
"""

from dataclasses import dataclass, field
from typing import Any

from octopus.hw.layouts.block import BlockKind, Combine, Comparison

from .graph import Block, Flow, Workflow, WorkflowError

WORD = 1 << 32

Decision = int | tuple[int, ...] | None
"""An arm (BRANCH, SWITCH, LOOP), arms (MULTICAST), a count (MAP), or nothing to decide."""


Index = tuple[int, ...]
"""Which token of a fan-out: a number for each map that it is inside of, the outermost first."""


@dataclass(frozen=True)
class Emission:
    """A token that leaves along ``flow``."""

    flow: Flow
    index: Index
    value: int


@dataclass
class Waiting:
    """What a join, gather or counting loop remembers for one instance and index."""

    arrivals: int = 0
    combined: int = 0
    expected: int | None = None
    rounds: int = 0
    notes: list[Any] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        """Nothing is remembered."""
        return self.arrivals == 0 and self.expected is None and self.rounds == 0


def signed(value: int) -> int:
    """A 32-bit word as a signed integer."""
    value %= WORD
    return value - WORD if value >= WORD // 2 else value


def holds(comparison: Comparison, value: int, operand: int, rounds: int = 0) -> bool:
    """Whether ``value <comparison> operand``; for COUNT, whether ``rounds`` are below it."""
    a, b = value % WORD, operand % WORD
    match comparison:
        case Comparison.ALWAYS:
            return True
        case Comparison.EQ:
            return a == b
        case Comparison.NE:
            return a != b
        case Comparison.LT:
            return signed(a) < signed(b)
        case Comparison.GE:
            return signed(a) >= signed(b)
        case Comparison.LTU:
            return a < b
        case Comparison.GEU:
            return a >= b
        case Comparison.COUNT:
            return rounds < b
    raise WorkflowError(f"comparison {comparison} has no meaning")


def combined(combine: Combine, a: int, b: int) -> int:
    """Two token values in one (32 bits, unsigned)."""
    match combine:
        case Combine.SUM:
            return (a + b) % WORD
        case Combine.MINIMUM:
            return min(a, b, key=signed)
        case Combine.MAXIMUM:
            return max(a, b, key=signed)
        case Combine.AND:
            return a & b
        case Combine.OR:
            return a | b
    raise WorkflowError(f"combine {combine} has no meaning")


def decide(block: Block, value: int, rounds: int) -> Decision:
    """What a block decides on a token's value."""
    match block.kind:
        case BlockKind.BRANCH | BlockKind.LOOP:
            return int(holds(block.comparison, value, block.operand, rounds))
        case BlockKind.SWITCH:
            return value if value < block.operand else block.operand - 1
        case BlockKind.MULTICAST:
            return tuple(arm for arm in range(32) if value >> arm & 1)
        case BlockKind.MAP:
            return value
    return None


def arrive(
    workflow: Workflow, block: Block, waiting: Waiting, expect: bool, value: int
) -> int | None:
    """A token arrives: the value on which the block fires, or None if it goes on waiting."""
    if block.kind not in (BlockKind.JOIN, BlockKind.GATHER):
        return value
    if expect:
        waiting.expected = value
    else:
        first = waiting.arrivals == 0
        waiting.combined = value if first else combined(block.combine, waiting.combined, value)
        waiting.arrivals += 1
    needed = waiting.expected
    if block.kind is BlockKind.JOIN:
        needed = workflow.join_count(block)
    if needed is None or waiting.arrivals < needed:
        return None
    result = waiting.combined if waiting.arrivals else 0
    waiting.arrivals, waiting.combined, waiting.expected = 0, 0, None
    return result


def emit(
    workflow: Workflow, block: Block, decision: Decision, index: Index, value: int
) -> list[Emission]:
    """The tokens that leave a block once it has decided; ``index`` is that of its scope."""
    flows = workflow.flows_out(block.name)
    match block.kind:
        case BlockKind.BRANCH | BlockKind.SWITCH | BlockKind.LOOP:
            return [Emission(flow, index, value) for flow in flows if flow.arm == decision]
        case BlockKind.MULTICAST:
            arms = decision if isinstance(decision, tuple) else ()
            count = sum(arm < block.operand for arm in arms)
            return [
                Emission(flow, index, count if flow.expect else value)
                for flow in flows
                if flow.expect or flow.arm in arms
            ]
        case BlockKind.MAP:
            count = decision if isinstance(decision, int) else 0
            expects = [Emission(flow, index, count) for flow in flows if flow.expect]
            return expects + [
                Emission(flow, (*index, item), value)
                for item in range(count)
                for flow in flows
                if not flow.expect
            ]
    return [Emission(flow, index, value) for flow in flows]
