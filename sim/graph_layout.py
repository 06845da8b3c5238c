"""Where a workflow's blocks are drawn: layers from left to right."""

from dataclasses import dataclass

from octopus.sched.workflow import Workflow

SWEEPS = 6
"""Times the order inside the layers is improved."""


@dataclass(frozen=True)
class Layout:
    """Layer and place in it of each block, and how many there are."""

    layer: dict[str, int]
    place: dict[str, float]
    layers: int
    width: int


def layout(workflow: Workflow) -> Layout:
    """Each block a layer behind its farthest predecessor; flows that lead back do not count."""
    names = [block.name for block in workflow.blocks]
    forward = {name: [flow.target for flow in workflow.flows_out(name)] for name in names}
    order = _order(names, forward)
    rank = {name: place for place, name in enumerate(order)}
    layer = dict.fromkeys(names, 0)
    for name in order:
        for target in forward[name]:
            if rank[target] > rank[name]:
                layer[target] = max(layer[target], layer[name] + 1)
    layers: list[list[str]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for name in order:
        layers[layer[name]].append(name)
    place = {name: float(i) for row in layers for i, name in enumerate(row)}
    back: dict[str, list[str]] = {name: [] for name in names}
    for name, targets in forward.items():
        for target in targets:
            back[target].append(name)
    for sweep in range(SWEEPS):
        neighbours = back if sweep % 2 == 0 else forward
        for row in layers if sweep % 2 == 0 else reversed(layers):
            wanted = {
                name: sum(place[n] for n in near) / len(near) if near else place[name]
                for name in row
                for near in [neighbours[name]]
            }
            row.sort(key=lambda name: wanted[name])
            place |= {name: float(i) for i, name in enumerate(row)}
    width = max((len(row) for row in layers), default=1)
    place = {name: place[name] + (width - len(row)) / 2 for row in layers for name in row}
    return Layout(layer, place, len(layers), width)


def _order(names: list[str], forward: dict[str, list[str]]) -> list[str]:
    """The blocks so that flows lead onwards, but those that close a circle."""
    done: list[str] = []
    seen: set[str] = set()
    for first in names:
        if first in seen:
            continue
        seen.add(first)
        stack = [(first, iter(forward[first]))]
        while stack:
            name, targets = stack[-1]
            following = next((target for target in targets if target not in seen), None)
            if following is None:
                done.append(name)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(forward[following])))
    return done[::-1]
