"""Refuses workflows with a fault, naming the block and the reason."""

from graphlib import CycleError, TopologicalSorter

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockKind, Comparison
from octopus.hw.layouts.token import ARM_BITS, INDEX_BITS

from ..kernels.task import Operand, Task
from .explore import Explorer
from .graph import Block, Role, Workflow, WorkflowError, required
from .scopes import scopes

MAXIMUM_ARMS = 1 << ARM_BITS
MAXIMUM_INDEX = 1 << INDEX_BITS

COMPARING = (BlockKind.BRANCH, BlockKind.LOOP)
CHOOSING = (BlockKind.SWITCH, BlockKind.MULTICAST)
EXPECTING = (BlockKind.MAP, BlockKind.MULTICAST)


def validate(workflow: Workflow, config: OctopusConfig | None = None) -> None:
    """Check everything that can be known before running; with a configuration, its tables too.

    Raises:
        WorkflowError: the first fault found, with the name of the block or tensor.
    """
    if not workflow.validated:
        _check(workflow)
        workflow.validated = True
    if config is not None:
        check_tables(workflow, config)


def _check(workflow: Workflow) -> None:
    """Everything but the tables."""
    for kind, many in ((BlockKind.SOURCE, False), (BlockKind.SINK, True)):
        count = len(workflow.of_kind(kind))
        if count == 0 or (count > 1 and not many):
            allowed = "at least one" if many else "exactly one"
            raise WorkflowError(
                f"workflow {workflow.name}: has {count} blocks of kind {kind.name.lower()}; "
                f"allowed: {allowed}"
            )
    for block in workflow.blocks:
        _check_block(block)
        _check_flows(workflow, block)
    _check_reached(workflow)
    found = scopes(workflow)
    for block in workflow.tasks:
        _check_task(workflow, block, len(found[block.name]))
    _check_tensors(workflow)
    _check_cycles(workflow)
    Explorer(workflow).run()


def _refuse(block: Block, reason: str) -> WorkflowError:
    return WorkflowError(f"block {block.name}: {reason}")


def _check_block(block: Block) -> None:
    """The block's own fields."""
    if block.kind is BlockKind.INVALID:
        raise _refuse(block, "has no kind")
    if block.kind is BlockKind.TASK and not isinstance(block.task, Task):
        raise _refuse(block, "a task block needs a task")
    if block.kind is not BlockKind.TASK and (block.task is not None or block.bindings):
        raise _refuse(block, f"a {block.kind.name.lower()} cannot have a task")
    if block.kind not in COMPARING and block.comparison is not Comparison.ALWAYS:
        raise _refuse(block, f"a {block.kind.name.lower()} compares nothing")
    if block.kind is BlockKind.LOOP and block.comparison is Comparison.ALWAYS:
        raise _refuse(block, "the loop never leaves (comparison always)")
    if block.kind is BlockKind.BRANCH and block.comparison is Comparison.COUNT:
        raise _refuse(block, "comparison count is for loops only")
    if block.kind in CHOOSING and not 1 <= block.operand <= MAXIMUM_ARMS:
        raise _refuse(block, f"has {block.operand} arms; allowed: 1 to {MAXIMUM_ARMS}")
    if block.kind is BlockKind.MAP and not 0 <= block.operand <= MAXIMUM_INDEX:
        raise _refuse(block, f"limit is {block.operand}; allowed: 0 to {MAXIMUM_INDEX}")
    if not -(1 << 31) <= block.operand < 1 << 32:
        raise _refuse(block, f"operand is {block.operand}; allowed: 32 bits")
    if block.join_count and block.kind is not BlockKind.JOIN:
        raise _refuse(block, "only a join has a join_count")


def _check_task(workflow: Workflow, block: Block, depth: int) -> None:
    """The operands of a task block, inside of ``depth`` maps, against the tensors."""
    task: Task = required(block)
    operands = {operand.name: operand for operand in task.operands}
    for name in block.bindings.keys() - operands.keys():
        raise _refuse(block, f"has no operand {name}; it has {', '.join(operands)}")
    for name, operand in operands.items():
        if name not in block.bindings:
            raise _refuse(block, f"operand {name} is bound to no tensor")
        binding = block.bindings[name]
        if binding.tensor not in workflow.tensors:
            raise _refuse(block, f"operand {name}: tensor {binding.tensor} does not exist")
        tensor = workflow.tensors[binding.tensor]
        if binding.by_index and not depth:
            raise _refuse(block, f"operand {name} is bound by index outside of every fan-out")
        given = tensor.slice_of(depth) if binding.by_index else tensor.operand
        if not fits(operand, given):
            raise _refuse(
                block,
                f"type mismatch: operand {name} takes {operand.dtype} {operand.shape}, tensor "
                f"{tensor.name} gives {given.dtype} {given.shape}",
            )
    for operand in task.outputs:
        if workflow.tensors[block.bindings[operand.name].tensor].role is Role.CONSTANT:
            raise _refuse(block, f"operand {operand.name} would write a constant")


def fits(needed: Operand, given: Operand) -> bool:
    """Whether two operands have one dtype and layout: shapes equal up to leading ones."""

    def bare(shape: tuple[int, ...]) -> tuple[int, ...]:
        while len(shape) > 1 and shape[0] == 1:
            shape = shape[1:]
        return shape or (1,)

    return needed.dtype == given.dtype and bare(needed.shape) == bare(given.shape)


def _check_flows(workflow: Workflow, block: Block) -> None:
    """Flows in and out of a block: number, arms, expectations."""
    entering, leaving = workflow.flows_in(block.name), workflow.flows_out(block.name)
    arms = 2 if block.kind in COMPARING else block.operand if block.kind in CHOOSING else 1
    if (block.kind is BlockKind.SOURCE) != (not [flow for flow in entering if not flow.expect]):
        raise _refuse(block, "a source has no flow in, every other block at least one")
    if (block.kind is BlockKind.SINK) != (not leaving):
        raise _refuse(block, "a sink has no flow out, every other block at least one")
    for flow in leaving:
        if not 0 <= flow.arm < arms:
            raise _refuse(block, f"a flow leaves by arm {flow.arm}; allowed: 0 to {arms - 1}")
        if flow.expect and block.kind not in EXPECTING:
            raise _refuse(block, "only map and multicast tell a gather how many to expect")
        if flow.expect and workflow.block(flow.target).kind is not BlockKind.GATHER:
            raise _refuse(block, f"tells {flow.target} how many to expect, which is no gather")
    if block.kind not in (BlockKind.MAP, BlockKind.SINK):
        missing = set(range(arms)) - {flow.arm for flow in leaving if not flow.expect}
        if missing:
            raise _refuse(block, f"no flow leaves by arm {min(missing)}")
    if block.kind is BlockKind.MAP and not any(flow.expect for flow in leaving):
        raise _refuse(block, "the fan-out has no gather that knows how many to expect")
    if block.kind is BlockKind.GATHER and sum(flow.expect for flow in entering) != 1:
        raise _refuse(block, "a gather needs exactly one flow that tells how many to expect")


def _check_tensors(workflow: Workflow) -> None:
    read = {binding.tensor for _, _, binding, written in workflow.accesses() if not written}
    wrote = {binding.tensor for _, _, binding, written in workflow.accesses() if written}
    for tensor in workflow.tensors.values():
        if tensor.result and tensor.name not in wrote:
            raise WorkflowError(f"tensor {tensor.name}: is a result but no task writes it")
        if tensor.name not in read | wrote:
            raise WorkflowError(f"tensor {tensor.name}: no task uses it")


def _check_reached(workflow: Workflow) -> None:
    reached = {workflow.source.name}
    waiting = [workflow.source.name]
    while waiting:
        targets = {flow.target for flow in workflow.flows_out(waiting.pop())}
        waiting += targets - reached
        reached |= targets
    for block in workflow.blocks:
        if block.name not in reached:
            raise _refuse(block, "no path leads to it from the source")


def _check_cycles(workflow: Workflow) -> None:
    """Every cycle must pass the *again* arm of a loop."""
    forward: TopologicalSorter[str] = TopologicalSorter()
    for flow in workflow.flows:
        again = workflow.block(flow.origin).kind is BlockKind.LOOP and flow.arm == 1
        if not again:
            forward.add(flow.target, flow.origin)
    try:
        forward.prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        names = " -> ".join(cycle)
        raise WorkflowError(f"block {cycle[0]}: a cycle without a loop block: {names}") from None


def check_tables(workflow: Workflow, config: OctopusConfig) -> None:
    """Whether the workflow fits the tables of one Control Block Unit.

    Block numbers are unique over the chip, so that a fault names its block; the limit on
    blocks therefore counts the whole workflow. Successors are counted by cluster when the
    workflow is placed.

    Raises:
        WorkflowError: too large; the message says how many there are and may be.
    """
    unit = config.control_block_unit
    names = [block.name for block in workflow.blocks]
    if len(names) > unit.blocks:
        raise WorkflowError(
            f"block {names[unit.blocks]}: workflow {workflow.name} is too large for the tables: "
            f"{len(names)} blocks; allowed: {unit.blocks} (control_block_unit.blocks)"
        )
    for tensor in workflow.tensors.values():
        indexed = any(b.by_index and b.tensor == tensor.name for _, _, b, _ in workflow.accesses())
        if indexed and tensor.shape[0] > MAXIMUM_INDEX:
            raise WorkflowError(
                f"tensor {tensor.name}: has {tensor.shape[0]} slices; an index has "
                f"{INDEX_BITS} bits"
            )
