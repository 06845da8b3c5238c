"""Scopes: which maps a block is inside of, found from the flows alone."""

from collections import deque

from octopus.hw.layouts.block import BlockKind, Comparison

from .graph import Block, Flow, Workflow, WorkflowError

Scope = tuple[str, ...]
"""The maps whose fan-outs a block is inside of, the outermost first."""

MAXIMUM_DEPTH = 2
"""Maps that may be inside of each other: an index has an outer and an inner part."""


def scopes(workflow: Workflow) -> dict[str, Scope]:
    """The scope of every block that the source reaches.

    Raises:
        WorkflowError: tokens of different scopes meet in a block that is no gather, or in a gather
            that is told of others; a sink inside a fan-out; maps nested too deep; a map whose
            number of tokens must have a limit and has none.
    """
    found: dict[str, Scope] = {workflow.source.name: ()}
    waiting = deque(found)
    while waiting:
        for flow in workflow.flows_out(waiting.popleft()):
            target = workflow.block(flow.target)
            if flow.target in found or (target.kind is BlockKind.GATHER and not flow.expect):
                continue
            found[flow.target] = carried(workflow, flow, found)
            waiting.append(flow.target)
    for name in found:
        _check(workflow, workflow.block(name), found)
    return found


def waits(block: Block) -> bool:
    """Whether a block remembers tokens of an instance, and so must tell their indices apart."""
    counts = block.kind is BlockKind.LOOP and block.comparison is Comparison.COUNT
    return counts or block.kind in (BlockKind.JOIN, BlockKind.GATHER)


def carried(workflow: Workflow, flow: Flow, found: dict[str, Scope]) -> Scope:
    """The scope of the tokens on a flow."""
    scope = found[flow.origin]
    if flow.expect or workflow.block(flow.origin).kind is not BlockKind.MAP:
        return scope
    return (*scope, flow.origin)


def _check(workflow: Workflow, block: Block, found: dict[str, Scope]) -> None:
    scope = found[block.name]
    inside = " of ".join(("", *reversed(scope))).removeprefix(" of ")
    if block.kind is BlockKind.SINK and scope:
        raise WorkflowError(
            f"block {block.name}: a sink inside the fan-out of {inside} is not possible; "
            "gather first"
        )
    if block.kind is BlockKind.MAP and len(scope) == MAXIMUM_DEPTH:
        raise WorkflowError(
            f"block {block.name}: a map inside the fan-out of {inside}; allowed: "
            f"{MAXIMUM_DEPTH} maps inside of each other"
        )
    if scope and (waits(block) or block.kind is BlockKind.MAP):
        inner = [block.name] if block.kind is BlockKind.MAP else []
        for name in [*scope, *inner]:
            if not workflow.block(name).operand:
                raise WorkflowError(
                    f"block {name}: needs a limit to its fan-out, for {block.name} inside the "
                    f"fan-out of {inside} keeps its tokens apart"
                )
    for flow in workflow.flows_in(block.name):
        if flow.origin in found:
            _check_arriving(workflow, block, flow, found)


def _check_arriving(workflow: Workflow, block: Block, flow: Flow, found: dict[str, Scope]) -> None:
    """Whether the tokens of a flow are of the scope that the block awaits."""
    scope, brought = found[block.name], carried(workflow, flow, found)
    awaited = scope
    if block.kind is BlockKind.GATHER and not flow.expect:
        teller = next(item.origin for item in workflow.flows_in(block.name) if item.expect)
        if workflow.block(teller).kind is BlockKind.MAP:
            awaited = (*scope, teller)
    if brought != awaited:
        raise WorkflowError(
            f"block {block.name}: tokens from {flow.origin} are {_place(brought)}, but those that "
            f"it awaits are {_place(awaited)}; gather first"
        )


def _place(scope: Scope) -> str:
    return f"inside the fan-out of {scope[-1]}" if scope else "outside of every fan-out"
