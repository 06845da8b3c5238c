"""The reference executor: what a workflow means, in pure Python and without hardware."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from octopus.hw.layouts.block import BlockKind

from ..kernels.task import DTYPES, Array
from .graph import Binding, Block, Role, Workflow, WorkflowError, required
from .scopes import scopes
from .semantics import WORD, Decision, Index, Waiting, arrive, decide, emit
from .validate import MAXIMUM_INDEX, validate

TOKEN_LIMIT = 1_000_000
"""Tokens of one instance before it is called endless."""


@dataclass(frozen=True)
class Instance:
    """What the host gives an instance: the source token's value and the input tensors."""

    tensors: Mapping[str, Array] = field(default_factory=dict)
    value: int = 0


@dataclass
class InstanceResult:
    """What an instance gave.

    Attributes
    ----------
    sink: name of the sink reached. value: its token's value (unsigned 32-bit word).
    tensors: the result tensors by name (reference executor: None where a part of the tensor was
        neither given nor written, so that its content means nothing).
    decisions: control blocks that decided, in order, and what (reference executor only).
    activations: how often each block fired (reference executor only).
    """

    sink: str
    value: int
    tensors: dict[str, Array | None] = field(default_factory=dict)
    decisions: list[tuple[str, Decision]] = field(default_factory=list)
    activations: Counter[str] = field(default_factory=Counter)


class ReferenceExecutor:
    """Runs instances of one workflow, each on its own.

    Raises:
        WorkflowError: the workflow is not valid (:func:`validate`).
    """

    def __init__(self, workflow: Workflow) -> None:
        validate(workflow)
        self.workflow = workflow
        self._depths = {name: len(scope) for name, scope in scopes(workflow).items()}

    def run(self, instances: Iterable[Instance]) -> list[InstanceResult]:
        """The results, in order.

        Raises:
            WorkflowError: an input tensor is missing, unknown or does not fit; a map of more tokens
                than its limit, or an index outside of its tensor; an instance that does not end.
        """
        return [self._run(instance) for instance in instances]

    def _run(self, instance: Instance) -> InstanceResult:
        memory = _Memory(self.workflow, instance)
        result = InstanceResult("", 0)
        waiting: dict[tuple[str, Index], Waiting] = {}
        tokens: deque[tuple[Block, Index, int, bool]] = deque(
            [(self.workflow.source, (), instance.value % WORD, False)]
        )
        while tokens:
            block, index, value, expect = tokens.popleft()
            index = index[: self._depths[block.name]]  # a gather leaves the fan-out it collects
            state = waiting.setdefault((block.name, index), Waiting())
            fired = arrive(self.workflow, block, state, expect, value)
            if fired is None:
                continue
            result.activations[block.name] += 1
            if result.activations.total() > TOKEN_LIMIT:
                raise WorkflowError(f"block {block.name}: an instance does not end")
            if block.kind is BlockKind.TASK:
                fired = memory.execute(block, index, fired)
            elif block.kind is BlockKind.SINK:
                result.sink, result.value = block.name, fired
            decision = decide(block, fired, state.rounds)
            if block.kind is BlockKind.MAP:
                _check_fan_out(block, fired)
            if decision is not None:
                result.decisions.append((block.name, decision))
            if block.kind is BlockKind.LOOP:
                state.rounds = state.rounds + 1 if decision == 1 else 0
            tokens.extend(
                (self.workflow.block(out.flow.target), out.index, out.value, out.flow.expect)
                for out in emit(self.workflow, block, decision, index, fired)
            )
        result.tensors = memory.results()
        return result


def _check_fan_out(block: Block, count: int) -> None:
    limit = block.operand or MAXIMUM_INDEX
    if count > limit:
        raise WorkflowError(f"block {block.name}: a fan-out of {count}; allowed: up to {limit}")


class _Memory:
    """The tensors of one instance."""

    def __init__(self, workflow: Workflow, instance: Instance) -> None:
        self.workflow = workflow
        self.arrays: dict[str, Array] = {}
        self.undefined: dict[str, Array] = {}
        unknown = set(instance.tensors) - set(workflow.tensors)
        if unknown:
            raise WorkflowError(f"tensor {min(unknown)}: the workflow has no such input")
        for tensor in workflow.tensors.values():
            if tensor.role is Role.INPUT:
                if tensor.name not in instance.tensors:
                    raise WorkflowError(f"tensor {tensor.name}: an instance has no value for it")
                self.arrays[tensor.name] = tensor.operand.check(
                    instance.tensors[tensor.name]
                ).copy()
            elif tensor.value is not None:
                self.arrays[tensor.name] = tensor.value
            else:
                self.arrays[tensor.name] = np.zeros(tensor.shape, DTYPES[tensor.dtype])
                self.undefined[tensor.name] = np.ones(tensor.shape, bool)

    def execute(self, block: Block, index: Index, value: int) -> int:
        """Run a task block; the value of its token."""
        task = required(block)
        inputs: Sequence[Array] = [
            self._view(self.arrays, block, block.bindings[operand.name], index).reshape(
                operand.shape
            )
            for operand in task.inputs
        ]
        outputs, word = task.reference(*inputs)
        for operand, array in zip(task.outputs, outputs, strict=True):
            binding = block.bindings[operand.name]
            view = self._view(self.arrays, block, binding, index)
            view[...] = np.asarray(array).reshape(view.shape)
            if binding.tensor in self.undefined:
                self._view(self.undefined, block, binding, index)[...] = False
        return value if word is None else word % WORD

    @staticmethod
    def _view(arrays: dict[str, Array], block: Block, binding: Binding, index: Index) -> Array:
        array = arrays[binding.tensor]
        if not binding.by_index:
            return array
        if any(number >= extent for number, extent in zip(index, array.shape, strict=False)):
            raise WorkflowError(
                f"block {block.name}: index {', '.join(map(str, index))} is outside tensor "
                f"{binding.tensor}, whose shape is {array.shape}"
            )
        *outer, last = index
        view: Array = array[tuple(outer)][last : last + 1]
        return view

    def results(self) -> dict[str, Array | None]:
        """The tensors that the host reads back."""
        results: dict[str, Array | None] = {}
        for tensor in self.workflow.tensors.values():
            if tensor.result:
                undefined = self.undefined.get(tensor.name)
                known = undefined is None or not undefined.any()
                results[tensor.name] = self.arrays[tensor.name] if known else None
        return results
