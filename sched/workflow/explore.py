"""Plays every combination of decisions of a workflow and refuses what cannot end well.

One instance is played as a game of tokens, without values: wherever a block decides, every
decision is tried (a loop: leave, or once again and leave; a map: no, one and two tokens; a
multicast: no arm, each arm alone, all arms). Decisions are taken as independent of each
other. Up to ``SCENARIO_LIMIT`` combinations of ``ACTIVATION_LIMIT`` activations the search is
complete.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from octopus.hw.layouts.block import BlockKind, Comparison

from .graph import Block, Workflow, WorkflowError
from .scopes import scopes
from .semantics import Decision, Index, Waiting, arrive, emit

SCENARIO_LIMIT = 1024
"""Combinations of decisions that are tried at most."""

ACTIVATION_LIMIT = 50_000
"""Activations in all scenarios together after which no further one is tried."""

TOKEN_LIMIT = 100_000
"""Tokens in one scenario before it is called endless."""


_Activation = tuple[str, Index, int]
"""A task that ran: block, index, serial number."""


@dataclass(frozen=True)
class _Token:
    block: str
    index: Index
    done: int
    """The activations that surely happened before: a bit for each serial number."""
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
        self._depths = {name: len(scope) for name, scope in scopes(workflow).items()}
        self._played = 0
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
            if tried == self.limit or self._played > ACTIVATION_LIMIT:
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
        scenario, game = Scenario(), _Game(self.workflow, self._depths, self._accesses)
        widths: list[int] = []
        tokens = 0
        queue = deque([_Token(self.workflow.source.name, (), 0)])
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
        self._played += scenario.fired.total()
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
                return [1, 0] if block.operand == 1 else [2, 0, 1]
        return [None]


class _Game:
    """The state of one scenario: waiting tokens, sinks reached, accesses to tensors."""

    def __init__(
        self,
        workflow: Workflow,
        depths: Mapping[str, int],
        accesses: Mapping[str, list[tuple[str, bool, bool, bool]]],
    ) -> None:
        self.workflow = workflow
        self.depths = depths
        self.accesses = accesses
        self.waiting: dict[tuple[str, Index], Waiting] = {}
        self.sinks: list[str] = []
        self.serial = 0
        self.touched: dict[str, list[tuple[_Activation, bool, bool]]] = {}

    def arrive(self, block: Block, token: _Token) -> int | None:
        """As :func:`semantics.arrive`, with the histories of joined tokens put together."""
        waiting = self.waiting.setdefault(self._place(block, token), Waiting())
        waiting.notes.append(token)
        return arrive(self.workflow, block, waiting, token.expect, token.value)

    def merged(self, block: Block, token: _Token) -> _Token:
        """The token that represents all those on which a block fires."""
        place = self._place(block, token)
        waiting = self.waiting[place]
        notes, waiting.notes = waiting.notes, []
        done = 0
        for note in notes:
            done |= note.done
        merged = _Token(block.name, place[1], done)
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
        return [
            _Token(
                emission.flow.target,
                emission.index,
                token.done,
                emission.flow.expect,
                emission.value,
            )
            for emission in leaving
        ]

    def _place(self, block: Block, token: _Token) -> tuple[str, Index]:
        """Where a block keeps what it remembers of a token's fan-out."""
        return block.name, token.index[: self.depths[block.name]]

    def finish(self, scenario: Scenario) -> None:
        """Everything must have come to an end in one sink."""
        for (name, _), waiting in self.waiting.items():
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
            for other, other_written, other_by_index in earlier:
                ordered = bool(token.done >> other[2] & 1)
                common = zip(other[1], token.index, strict=False)
                apart = by_index and other_by_index and any(a != b for a, b in common)
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
            self.touched[tensor].append((activation, written, by_index))
        return _Token(token.block, token.index, token.done | 1 << self.serial)
