"""What a router's bench must have seen."""

import json
from pathlib import Path

from octopus.verify.golden.router import HOP_CYCLES, NodeModel, PacketModel, Side, may_enter, route


class RouterCoverage:
    """Input side x output side x input's channel x whether the head had to wait.

    Parameters
    ----------
    at: the router's place. size: columns and rows of the mesh. virtual_channels: its channels.
    """

    def __init__(self, at: NodeModel, size: int, virtual_channels: int) -> None:
        self.nodes = [NodeModel(x, y) for x in range(size) for y in range(size)]
        self.nodes.append(NodeModel(0, 0, host=True))
        self.destinations = {
            side: [node for node in self.nodes if may_enter(at, side, node)] for side in Side
        }
        turns = {(side, route(at, node)) for side in Side for node in self.destinations[side]}
        self.hits = {
            (entered, left, channel, blocked): 0
            for entered, left in turns
            for channel in range(virtual_channels)
            for blocked in (False, True)
        }

    def see(self, packet: PacketModel, left: Side, now: int) -> None:
        """A head left the router."""
        blocked = now - packet.since > HOP_CYCLES
        self.hits[packet.entered_by, left, packet.channel, blocked] += 1

    @property
    def missing(self) -> list[str]:
        """Points never hit, in words."""
        return [_words(point) for point, count in self.hits.items() if not count]

    def write(self, file: Path) -> None:
        """All points and their counts as JSON."""
        counts = {_words(point): count for point, count in sorted(self.hits.items())}
        file.write_text(json.dumps(counts, indent=1) + "\n")


def _words(point: tuple[Side, Side, int, bool]) -> str:
    entered, left, channel, blocked = point
    state = "blocked" if blocked else "free"
    return f"{entered.name} to {left.name} channel {channel} {state}"
