"""Which tasks a firing block announces: what will come once the tasks it starts have ended."""

from dataclasses import dataclass

from octopus.hw.layouts.block import BlockKind

from .workflow import Block, Flow, Workflow

PREDICTED_ARM = {BlockKind.BRANCH: 1, BlockKind.LOOP: 1, BlockKind.SWITCH: 0}
"""The arm that a block that decides is taken to choose."""

LONGEST_WALK = 8
"""Control blocks between two tasks that are looked through."""


@dataclass(frozen=True)
class Forecast:
    """An announcement of task ``target``; ``likely``: it may come or not."""

    target: str
    arm: int
    likely: bool


def forecasts(workflow: Workflow, block: Block) -> list[Forecast]:
    """What ``block`` announces when it fires: the tasks after those that it starts."""
    found: dict[tuple[str, int], Forecast] = {}
    for flow in workflow.flows_out(block.name):
        started = workflow.block(flow.target)
        if flow.expect or started.kind is not BlockKind.TASK:
            continue
        for following in workflow.flows_out(started.name):
            target, certain = _next_task(workflow, following)
            if target is not None:
                found.setdefault((target, flow.arm), Forecast(target, flow.arm, likely=not certain))
    return list(found.values())


def _next_task(workflow: Workflow, flow: Flow) -> tuple[str | None, bool]:
    """The task that a token on ``flow`` is taken to reach, and whether it must."""
    certain = True
    for _ in range(LONGEST_WALK):
        block = workflow.block(flow.target)
        if block.kind is BlockKind.TASK:
            return block.name, certain
        flows = [item for item in workflow.flows_out(block.name) if not item.expect]
        if block.kind in PREDICTED_ARM:
            certain = False
            flows = [item for item in flows if item.arm == PREDICTED_ARM[block.kind]]
        elif block.kind is not BlockKind.MERGE:
            break
        if not flows:
            break
        flow = flows[0]
    return None, False
