"""The Orchestrated Workflow Graph: blocks, task flows and the tensors they carry.

The graph underneath is a ``networkx.MultiDiGraph``: a node is a block's name with attribute
``block``, an edge a :class:`Flow` in attribute ``flow``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from octopus.hw.layouts.block import BlockKind, Combine, Comparison

from ..kernels.task import DTYPES, Array, Operand, Task


class WorkflowError(ValueError):
    """A workflow is refused; the message names the block or tensor and the reason."""


class Role(Enum):
    """What a tensor is to the workflow."""

    INPUT = "input"
    """Written by the host for every instance before it starts."""
    CONSTANT = "constant"
    """Weights and the like: the same for all instances, written once."""
    INTERNAL = "internal"
    """Passed between task blocks."""


@dataclass(frozen=True)
class Tensor:
    """A named array; every role but CONSTANT has one copy an instance.

    ``value`` is the array of a constant, None otherwise. ``result``: the host reads the tensor
    back when the instance completes.

    Raises:
        WorkflowError: a constant without a fitting value, or a value without a constant.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    role: Role = Role.INTERNAL
    result: bool = False
    value: Array | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        try:
            operand = self.operand
            if self.value is not None:
                object.__setattr__(self, "value", operand.check(self.value))
        except ValueError as error:
            raise WorkflowError(f"tensor {error}") from None
        if (self.value is None) == (self.role is Role.CONSTANT):
            raise WorkflowError(f"tensor {self.name}: a constant, and only that, has a value")

    @property
    def operand(self) -> Operand:
        """The tensor as an operand: its layout in memory."""
        return Operand(self.name, self.shape, self.dtype)

    def slice_of(self, depth: int) -> Operand:
        """A slice by an index of ``depth`` numbers, as it lies in memory.

        Raises:
            WorkflowError: fewer dimensions than that, or slices that do not start on words.
        """
        if len(self.shape) < depth:
            raise WorkflowError(
                f"tensor {self.name}: has shape {self.shape}; an index of {depth} "
                f"number{'s' * (depth > 1)} needs as many dimensions"
            )
        item = Operand(self.name, self.shape[depth:], self.dtype)
        if item.words * math.prod(self.shape[:depth]) != self.operand.words:
            size = DTYPES[self.dtype].itemsize * math.prod(item.shape)
            raise WorkflowError(
                f"tensor {self.name}: slices of {size} bytes do not "
                "start on words; use int32 or another dimension"
            )
        return item


@dataclass(frozen=True)
class Binding:
    """The tensor behind a task's operand.

    ``by_index``: only the slice of the token's index, which has a number for each map that the
    task is inside of.
    """

    tensor: str
    by_index: bool = False


@dataclass(frozen=True)
class Distribution:
    """A declared distribution, for planning only: mean and, if known, its limits."""

    mean: float
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        low = self.mean if self.minimum is None else self.minimum
        high = self.mean if self.maximum is None else self.maximum
        if not low <= self.mean <= high:
            raise WorkflowError(
                f"distribution has mean {self.mean}, minimum {low}, maximum {high}; "
                "allowed: minimum <= mean <= maximum"
            )


@dataclass(frozen=True)
class Block:
    """A task block or control block.

    Parameters
    ----------
    name: unique in the workflow. kind: what it is.
    task, bindings: of a TASK; one :class:`Binding` an operand, by the operand's name.
    comparison, operand: of BRANCH and LOOP; ``operand`` is also the number of arms of SWITCH
        and MULTICAST. Compared as 32-bit words. Of MAP ``operand`` is the most tokens that it may
        make, 0 if that is not known.
    combine: of JOIN and GATHER.
    join_count: of JOIN: tokens awaited; 0 means one from each flow that enters.
    time: declared execution time of a TASK in cycles.
    """

    name: str
    kind: BlockKind
    task: Task | None = None
    bindings: dict[str, Binding] = field(default_factory=dict)
    comparison: Comparison = Comparison.ALWAYS
    operand: int = 0
    combine: Combine = Combine.SUM
    join_count: int = 0
    time: Distribution | None = None


@dataclass(frozen=True)
class Flow:
    """An edge: where a token goes when ``arm`` is taken.

    ``expect``: the token tells a gather how many tokens to await. ``frequency``: declared
    tokens for each activation of the block it leaves.
    """

    origin: str
    target: str
    arm: int = 0
    expect: bool = False
    frequency: Distribution | None = None


class Workflow:
    """A workflow graph. Blocks, flows and tensors keep the order in which they were added.

    ``tensors`` are by name. ``validated`` is set by :func:`validate` and holds until something is
    added.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.tensors: dict[str, Tensor] = {}
        self.validated = False
        self._blocks: dict[str, Block] = {}
        # By block, then by neighbour: flows to the same one follow each other.
        self._out: dict[str, dict[str, list[Flow]]] = {}
        self._in: dict[str, dict[str, list[Flow]]] = {}

    def add_tensor(self, tensor: Tensor) -> None:
        """Add a tensor.

        Raises:
            WorkflowError: the name is taken.
        """
        if tensor.name in self.tensors:
            raise WorkflowError(f"tensor {tensor.name}: there are two of this name")
        self.tensors[tensor.name] = tensor
        self.validated = False

    def add_block(self, block: Block) -> None:
        """Add a block.

        Raises:
            WorkflowError: the name is taken.
        """
        if block.name in self._blocks:
            raise WorkflowError(f"block {block.name}: there are two of this name")
        self._blocks[block.name] = block
        self._out[block.name], self._in[block.name] = {}, {}
        self.validated = False

    def add_flow(self, flow: Flow) -> None:
        """Add a flow between blocks that are already there.

        Raises:
            WorkflowError: a block does not exist.
        """
        for name in (flow.origin, flow.target):
            if name not in self._blocks:
                raise WorkflowError(
                    f"block {name}: a flow from {flow.origin} to {flow.target} names it, "
                    "but it does not exist"
                )
        self._out[flow.origin].setdefault(flow.target, []).append(flow)
        self._in[flow.target].setdefault(flow.origin, []).append(flow)
        self.validated = False

    @property
    def blocks(self) -> list[Block]:
        """All blocks."""
        return list(self._blocks.values())

    @property
    def flows(self) -> list[Flow]:
        """All flows."""
        return [flow for block in self._blocks for flow in self.flows_out(block)]

    def block(self, name: str) -> Block:
        """The block of that name."""
        return self._blocks[name]

    def flows_out(self, name: str) -> list[Flow]:
        """The flows that leave a block."""
        return [flow for flows in self._out[name].values() for flow in flows]

    def flows_in(self, name: str) -> list[Flow]:
        """The flows that enter a block."""
        return [flow for flows in self._in[name].values() for flow in flows]

    def of_kind(self, kind: BlockKind) -> list[Block]:
        """The blocks of one kind."""
        return [block for block in self.blocks if block.kind is kind]

    @property
    def tasks(self) -> list[Block]:
        """The task blocks."""
        return self.of_kind(BlockKind.TASK)

    @property
    def source(self) -> Block:
        """The one source (of a valid workflow)."""
        return self.of_kind(BlockKind.SOURCE)[0]

    def join_count(self, block: Block) -> int:
        """Tokens that a join awaits."""
        return block.join_count or sum(not flow.expect for flow in self.flows_in(block.name))

    def accesses(self) -> Iterator[tuple[Block, Operand, Binding, bool]]:
        """Every bound operand of every task: block, operand, binding, whether it is written."""
        for block in self.tasks:
            assert block.task is not None
            for written, operands in ((False, block.task.inputs), (True, block.task.outputs)):
                for operand in operands:
                    if operand.name in block.bindings:
                        yield block, operand, block.bindings[operand.name], written

    def writers(self, tensor: str) -> list[Block]:
        """The task blocks that write a tensor."""
        return [
            block
            for block, _, binding, written in self.accesses()
            if written and binding.tensor == tensor
        ]


def required(block: Block) -> Any:
    """The task of a task block."""
    if block.task is None:
        raise WorkflowError(f"block {block.name}: a task block needs a task")
    return block.task
