"""A fluent way to write workflows in Python.

w = WorkflowBuilder("example")
x = w.input("x", (8,), "int32")
scaled = w.source().task("scale", Scale(8, 3), values=x)
best = scaled.task("best", ArgMax(8, "int32"), values=scaled["scaled"])
yes, no = best.branch("is_first", Comparison.EQ, 0)
yes.sink("first")
no.sink("other")
workflow = w.build()
"""

from dataclasses import dataclass
from typing import NamedTuple

from octopus.hw.layouts.block import BlockKind, Combine, Comparison

from ..kernels.task import Array, Task
from .graph import Binding, Block, Distribution, Flow, Role, Tensor, Workflow, WorkflowError
from .validate import validate


@dataclass(frozen=True)
class TensorHandle:
    """A tensor, to bind to a task's operand."""

    name: str

    def by_index(self) -> Binding:
        """Only the slice at the token's index, inside a fan-out."""
        return Binding(self.name, by_index=True)


class Branch(NamedTuple):
    """The two ways out of a branch."""

    taken: "Port"
    otherwise: "Port"


class Loop(NamedTuple):
    """The two ways out of a loop."""

    leave: "Port"
    again: "Port"


class Map(NamedTuple):
    """The fan-out of a map, and what its gather must be told."""

    each: "Port"
    expect: "Port"


class Multicast(NamedTuple):
    """The arms of a multicast, and what its gather must be told."""

    arms: "list[Port]"
    expect: "Port"


@dataclass(frozen=True)
class Port:
    """A way out of a block: where the next flow starts. Each method adds the next block."""

    builder: "WorkflowBuilder"
    block: str
    arm: int = 0
    expect: bool = False

    def __getitem__(self, operand: str) -> TensorHandle:
        """The tensor bound to an operand of this task block."""
        bindings = self.builder.workflow.block(self.block).bindings
        if operand not in bindings:
            raise WorkflowError(f"block {self.block}: has no operand {operand}")
        return TensorHandle(bindings[operand].tensor)

    def to(self, target: str, frequency: Distribution | None = None) -> None:
        """A flow to a block that is already there (the way back of a loop)."""
        flow = Flow(self.block, target, self.arm, self.expect, frequency)
        self.builder.workflow.add_flow(flow)

    def task(
        self,
        name: str,
        task: Task,
        *,
        time: Distribution | None = None,
        **operands: TensorHandle | Binding,
    ) -> "Port":
        """A task block. Results left out become tensors named ``block.operand``."""
        bindings = {
            operand: handle if isinstance(handle, Binding) else Binding(handle.name)
            for operand, handle in operands.items()
        }
        for operand in task.outputs:
            if operand.name not in bindings:
                tensor = Tensor(f"{name}.{operand.name}", operand.shape, operand.dtype)
                self.builder.workflow.add_tensor(tensor)
                bindings[operand.name] = Binding(tensor.name)
        return self._then(Block(name, BlockKind.TASK, task=task, bindings=bindings, time=time))

    def branch(self, name: str, comparison: Comparison, operand: int) -> Branch:
        """Two ways by a comparison of the token's value."""
        port = self._then(Block(name, BlockKind.BRANCH, comparison=comparison, operand=operand))
        return Branch(port._arm(1), port._arm(0))

    def switch(self, name: str, arms: int) -> "list[Port]":
        """One of several ways by the token's value; values beyond the last take the last."""
        port = self._then(Block(name, BlockKind.SWITCH, operand=arms))
        return [port._arm(arm) for arm in range(arms)]

    def multicast(self, name: str, arms: int) -> Multicast:
        """Any subset of several ways, by the bits of the token's value."""
        port = self._then(Block(name, BlockKind.MULTICAST, operand=arms))
        return Multicast([port._arm(arm) for arm in range(arms)], port._expect())

    def loop(self, name: str, comparison: Comparison, operand: int) -> Loop:
        """Again while the comparison holds (COUNT: ``operand`` times); ``again`` goes back."""
        port = self._then(Block(name, BlockKind.LOOP, comparison=comparison, operand=operand))
        return Loop(port._arm(0), port._arm(1))

    def map(self, name: str, limit: int = 0) -> Map:
        """As many tokens as the value says, with indices from 0; give ``expect`` to a gather.

        ``limit``: the most there may be; must be given where maps are inside of each other, or
        where a join, gather or counting loop is inside the fan-out.
        """
        port = self._then(Block(name, BlockKind.MAP, operand=limit))
        return Map(port, port._expect())

    def merge(self, name: str, *others: "Port") -> "Port":
        """Any token that arrives goes on."""
        return self._then(Block(name, BlockKind.MERGE), *others)

    def join(self, name: str, *others: "Port", combine: Combine = Combine.SUM) -> "Port":
        """Waits for a token from this port and each other."""
        return self._then(Block(name, BlockKind.JOIN, combine=combine), *others)

    def gather(
        self, name: str, expect: "Port", *others: "Port", combine: Combine = Combine.SUM
    ) -> "Port":
        """Waits for as many tokens as ``expect`` of a map or multicast tells."""
        return self._then(Block(name, BlockKind.GATHER, combine=combine), expect, *others)

    def sink(self, name: str) -> "Port":
        """The end: the host gets the token."""
        return self._then(Block(name, BlockKind.SINK))

    def _then(self, block: Block, *others: "Port") -> "Port":
        self.builder.workflow.add_block(block)
        for port in (self, *others):
            port.to(block.name)
        return Port(self.builder, block.name)

    def _arm(self, arm: int) -> "Port":
        return Port(self.builder, self.block, arm)

    def _expect(self) -> "Port":
        return Port(self.builder, self.block, 0, expect=True)


class WorkflowBuilder:
    """Collects blocks, flows and tensors; ``workflow`` is what there is so far."""

    def __init__(self, name: str) -> None:
        self.workflow = Workflow(name)

    def source(self, name: str = "source") -> Port:
        """The start of every instance."""
        self.workflow.add_block(Block(name, BlockKind.SOURCE))
        return Port(self, name)

    def input(
        self, name: str, shape: tuple[int, ...], dtype: str = "int8", *, result: bool = False
    ) -> TensorHandle:
        """A tensor that the host gives with every instance."""
        return self._tensor(Tensor(name, shape, dtype, Role.INPUT, result))

    def constant(self, name: str, value: Array) -> TensorHandle:
        """A tensor that never changes; ``value`` is int8 or int32."""
        tensor = Tensor(name, value.shape, str(value.dtype), Role.CONSTANT, value=value)
        return self._tensor(tensor)

    def tensor(
        self, name: str, shape: tuple[int, ...], dtype: str = "int8", *, result: bool = False
    ) -> TensorHandle:
        """A tensor that tasks write, if one made by :meth:`Port.task` will not do."""
        return self._tensor(Tensor(name, shape, dtype, Role.INTERNAL, result))

    def build(self) -> Workflow:
        """The workflow, validated.

        Raises:
            WorkflowError: it has a fault.
        """
        validate(self.workflow)
        return self.workflow

    def _tensor(self, tensor: Tensor) -> TensorHandle:
        self.workflow.add_tensor(tensor)
        return TensorHandle(tensor.name)
