"""Which words the streams of a mapped kernel bring and take, in which order."""

from dataclasses import dataclass

from .graph import Access, Role
from .mapping import Mapping
from .validity import Validity


@dataclass(frozen=True)
class StreamNode:
    """One node of a port.

    ``shift``: words that its stream has before the first that means something.
    """

    name: str
    access: Access
    shift: int = 0


@dataclass(frozen=True)
class PortStream:
    """The stream of one port in one direction.

    Parameters
    ----------
    west: the port is row ``number``'s, else column ``number``'s north port. output: its direction.
    computed: gather or scatter. nodes: whose words come in turn.
    conditional: an output that takes a word in some iterations only.
    longer: rounds after the last that means something.
    """

    west: bool
    number: int
    output: bool
    computed: bool
    nodes: tuple[StreamNode, ...]
    conditional: bool = False
    longer: int = 0

    @property
    def early(self) -> int:
        """Rounds before the first in which the words of all nodes mean something."""
        return max(node.shift for node in self.nodes)


def port_streams(mapping: Mapping) -> list[PortStream]:
    """All streams that a mapping needs."""
    validity = Validity(mapping)
    fabric, graph = mapping.fabric, mapping.graph
    ports: dict[tuple[int, bool], list[str]] = {}
    for name, (port, _) in mapping.ports.items():
        output = graph.nodes[name].role is Role.STORE
        ports.setdefault((port, output), []).append(name)
    streams = []
    for (port, output), names in sorted(ports.items()):
        pair = graph.nodes[names[0]].pair
        paired = [graph.nodes[name] for name in mapping.pairs.get(pair or "", [])]
        gather = any(node.role is Role.LOAD for node in paired)
        if gather and output:
            continue
        computed = len(paired) > 1
        nodes = []
        for name in sorted(names, key=validity.first_turn):
            access = graph.nodes[name].access
            assert access is not None
            shift = validity.before[name] if output else validity.entry_slack(name)
            nodes.append(StreamNode(name, access, shift))
        west = port < fabric.rows
        streams.append(
            PortStream(
                west,
                port if west else port - fabric.rows,
                output,
                computed,
                tuple(nodes),
                pair is not None and not computed,
                0 if output else validity.longer,
            )
        )
    return streams
