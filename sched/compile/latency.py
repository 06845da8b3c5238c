"""How long operations take: the one place of the compiler that knows."""

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import Operation

from .graph import Node, Role


def latency(pea: PeaConfig, operation: Operation) -> int:
    """Cycles from the issue of an operation to the first in which its result can be used."""
    return pea.latency(operation)


def node_latency(pea: PeaConfig, node: Node) -> int:
    """The same of a node; a word of a stream can be used when it is there."""
    return latency(pea, node.operation) if node.role is Role.COMPUTE else 0


def longest_latency(pea: PeaConfig) -> int:
    """Cycles after which the result of any operation is out of the pipeline."""
    return max(latency(pea, operation) for operation in Operation)
