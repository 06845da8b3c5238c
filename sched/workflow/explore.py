"""Plays every combination of decisions of a workflow and refuses what cannot end well.

One instance is played as a game of tokens, without values: wherever a block decides, every
decision is tried (a loop: leave, or once again and leave; a map: no, one and two tokens; a
multicast: no arm, each arm alone, all arms). Decisions are taken as independent of each
other. Up to ``SCENARIO_LIMIT`` combinations the search is complete.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from octopus.hw.layouts.block import BlockKind, Comparison

from .graph import Block, Workflow, WorkflowError
from .semantics import Decision, Waiting, arrive, emit

SCENARIO_LIMIT = 1024
"""Combinations of decisions that are tried at most."""

TOKEN_LIMIT = 100_000
"""Tokens in one scenario before it is called endless."""


@dataclass(frozen=True)
class _Token:
    block: str
    index: int
    fan_out: str | None
    """The map that the token is inside of."""
    done: frozenset[tuple[str, int, int]]
    """The task activations that surely happened before (name, index, serial number)."""
    expect: bool = False
    value: int = 0


@dataclass
class Scenario:
    """One combination of decisions and what came of it."""

    decisions: list[tuple[str, Decision]] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)

    def describe(self) -> str:
        """The decisions in words."""
        words = [f"{name} takes {_describe(decision)}" for name, decision in self.decisions]
        return ", ".join(words) or "always"


def _describe(decision: Decision) -> str:
    if isinstance(decision, tuple):
        return f"arms {list(decision)}" if decision else "no arm"
    return str(decision)


class Explorer:
    """Tries the scenarios of one workflow.

    After :meth:`run`, ``activations`` holds for each block the fewest and most activations
    over all scenarios, ``complete`` whether every combination was tried.
    """

    def __init__(self, workflow: Workflow, limit: int = SCENARIO_LIMIT) -> None:
        self.workflow = workflow
        self.limit = limit
        self.complete = True
        self.activations: dict[str, tuple[int, int]] = {}
        self._accesses: dict[str, list[tuple[str, bool, bool, bool]]] = {}
        for block, _, binding, written in workflow.accesses():
            initial = workflow.tensors[binding.tensor].role.value in ("input", "constant")
            self._accesses.setdefault(block.name, []).append(
                (binding.tensor, binding.by_index, written, initial)
            )

    def run(self) -> None:
        """Try the scenarios.

        Raises:
            WorkflowError: a block that waits for ever or never fires, an instance that does not
                end in exactly one sink token, a tensor read before it is written or touched by
                two tasks at once. The message names block and decisions.
        """
        pending: deque[list[int]] = deque([[]])
        tried = 0
        while pending:
            if tried == self.limit:
                self.complete = False
                break
            tried += 1
            # Depth first from the right: a prefix of choices, all later ones the first option.
            prefix = pending.pop()
            widths = self._play(prefix)
            for depth in range(len(prefix), len(widths)):
                taken = prefix + [0] * (depth - len(prefix))
                pending.extend([*taken, option] for option in range(1, widths[depth]))
        if self.complete:
            for block in self.workflow.blocks:
                if self.activations.get(block.name, (0, 0))[1] == 0:
                    raise WorkflowError(f"block {block.name}: no decision ever reaches it")

    def _play(self, choices: list[int]) -> list[int]:
        """Play one scenario; the number of options at each decision."""
        scenario, game = Scenario(), _Game(self.workflow, self._accesses)
        widths: list[int] = []
        tokens = 0
        queue = deque([_Token(self.workflow.source.name, 0, None, frozenset())])
        while queue:
            token = queue.popleft()
            block = self.workflow.block(token.block)
            tokens += 1
            if tokens > TOKEN_LIMIT:
                raise WorkflowError(f"block {block.name}: tokens multiply without end")
            value = game.arrive(block, token)
            if value is None:
                continue
            fired = game.merged(block, token)
            scenario.fired[block.name] += 1
            options = self._options(block, scenario)
            choice = 0
            if len(options) > 1:
                choice = choices[len(widths)] if len(widths) < len(choices) else 0
                widths.append(len(options))
            decision = options[choice]
            if decision is not None:
                scenario.decisions.append((block.name, decision))
            if block.kind is BlockKind.LOOP and decision == 1:
                scenario.again[block.name] += 1
            queue.extend(game.emit(block, decision, fired, scenario))
        game.finish(scenario)
        for block in self.workflow.blocks:
            count = scenario.fired[block.name]
            low, high = self.activations.get(block.name, (count, count))
            self.activations[block.name] = (min(low, count), max(high, count))
        return widths

    def _options(self, block: Block, scenario: Scenario) -> list[Decision]:
        match block.kind:
            case BlockKind.BRANCH:
                return [1] if block.comparison is Comparison.ALWAYS else [0, 1]
            case BlockKind.SWITCH:
                return list(range(block.operand))
            case BlockKind.LOOP:
                return [0] if scenario.again[block.name] else [0, 1]
            case BlockKind.MULTICAST:
                arms = tuple(range(block.operand))
                alone = [(arm,) for arm in arms] if len(arms) > 1 else []
                return [arms, (), *alone]
            case BlockKind.MAP:
                return [2, 0, 1]
        return [None]


class _Game:
    """The state of one scenario: waiting tokens, sinks reached, accesses to tensors."""

    def __init__(
        self, workflow: Workflow, accesses: dict[str, list[tuple[str, bool, bool, bool]]]
    ) -> None:
        self.workflow = workflow
        self.accesses = accesses
        self.waiting: dict[str, Waiting] = {}
        self.sinks: list[str] = []
        self.serial = 0
        self.touched: dict[str, list[tuple[tuple[str, int, int], bool, bool, frozenset]]] = {}

    def arrive(self, block: Block, token: _Token) -> int | None:
        """As :func:`semantics.arrive`, with the histories of joined tokens put together."""
        if token.fan_out is not None and block.kind in (
            BlockKind.JOIN,
            BlockKind.MAP,
            BlockKind.SINK,
        ):
            raise WorkflowError(
                f"block {block.name}: a {block.kind.name.lower()} inside the fan-out of "
                f"{token.fan_out} is not possible; gather first"
            )
        if token.fan_out and any(flow.expect for flow in self.workflow.flows_out(block.name)):
            raise WorkflowError(
                f"block {block.name}: a gathered multicast inside the fan-out of {token.fan_out} "
                "would gather all its tokens together"
            )
        if token.fan_out and block.kind is BlockKind.LOOP and block.comparison is Comparison.COUNT:
            raise WorkflowError(
                f"block {block.name}: a counting loop inside the fan-out of {token.fan_out} would "
                "count all its tokens together"
            )
        waiting = self.waiting.setdefault(block.name, Waiting())
        waiting.notes.append(token)
        return arrive(self.workflow, block, waiting, token.expect, token.value)

    def merged(self, block: Block, token: _Token) -> _Token:
        """The token that represents all those on which a block fires."""
        waiting = self.waiting[block.name]
        notes, waiting.notes = waiting.notes, []
        done = frozenset().union(*(note.done for note in notes))
        collects = block.kind in (BlockKind.GATHER, BlockKind.JOIN)
        merged = _Token(
            block.name, 0 if collects else token.index, None if collects else token.fan_out, done
        )
        if block.kind is BlockKind.SINK:
            self.sinks.append(block.name)
        if block.kind is BlockKind.TASK:
            merged = self._touch(block, merged)
        return merged

    def emit(
        self, block: Block, decision: Decision, token: _Token, scenario: Scenario
    ) -> list[_Token]:
        """The tokens that leave."""
        leaving = emit(self.workflow, block, decision, token.index, 0)
        if not leaving and block.kind not in (BlockKind.SINK, BlockKind.MULTICAST, BlockKind.MAP):
            raise WorkflowError(
                f"block {block.name}: no flow leaves it by arm {_describe(decision)}; "
                "the token would be lost"
            )
        fan_out = block.name if block.kind is BlockKind.MAP else token.fan_out
        return [
            _Token(
                emission.flow.target,
                emission.index,
                None if emission.flow.expect else fan_out,
                token.done,
                emission.flow.expect,
                emission.value,
            )
            for emission in leaving
        ]

    def finish(self, scenario: Scenario) -> None:
        """Everything must have come to an end in one sink."""
        for name, waiting in self.waiting.items():
            block = self.workflow.block(name)
            if waiting.idle or block.kind is BlockKind.LOOP:
                continue
            if block.kind is BlockKind.JOIN:
                needed = str(self.workflow.join_count(block))
            else:
                needed = "?" if waiting.expected is None else str(waiting.expected)
            verb = "waits for ever" if scenario.fired[name] else "can never fire"
            raise WorkflowError(
                f"block {name}: {block.kind.name.lower()} {verb}: {waiting.arrivals} of {needed} "
                f"tokens arrive ({scenario.describe()})"
            )
        if len(self.sinks) != 1:
            reached = ", ".join(self.sinks) or "none"
            raise WorkflowError(
                f"workflow {self.workflow.name}: an instance must end with one token in one sink; "
                f"sinks reached: {reached} ({scenario.describe()})"
            )

    def _touch(self, block: Block, token: _Token) -> _Token:
        """Check a task's accesses against all earlier ones and note them."""
        self.serial += 1
        activation = (block.name, token.index, self.serial)
        for tensor, by_index, written, initial in self.accesses.get(block.name, []):
            earlier = self.touched.setdefault(tensor, [])
            ready = initial or written
            for other, other_written, other_by_index, _ in earlier:
                ordered = other in token.done
                apart = by_index and other_by_index and other[1] != token.index
                if (written or other_written) and not ordered and not apart:
                    raise WorkflowError(
                        f"block {block.name}: tensor {tensor} is touched by {other[0]} too and "
                        "nothing orders the two"
                    )
                ready |= other_written and ordered
            if not ready:
                raise WorkflowError(
                    f"block {block.name}: tensor {tensor} is read before any task has written it"
                )
        for tensor, by_index, written, _ in self.accesses.get(block.name, []):
            self.touched[tensor].append((activation, written, by_index, token.done))
        return _Token(token.block, token.index, token.fan_out, token.done | {activation})
