"""What joins the parts, as the words that the engine reads (see ``Engine``'s constructor)."""

import struct
from collections import defaultdict

from .partition import HOST, Partition

MOST_LEVELS = 250
_PENDING = -1


class _Writer:
    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def words(self, *values: int) -> None:
        self._pieces.append(struct.pack(f"<{len(values)}I", *values))

    def text(self, value: str) -> None:
        data = value.encode()
        self.words(len(data))
        self._pieces.append(data + bytes(-len(data) % 4))

    def result(self) -> bytes:
        return b"".join(self._pieces)


def tables(partition: Partition, order: list[str]) -> bytes:
    """The tables of a partition whose parts are registered in ``order``."""
    out = _Writer()
    place = {name: index for index, name in enumerate(order)}
    clusters = _clusters(partition)
    if not _are_apart(partition, clusters):
        clusters = [0] * len(clusters)
    levels = _levels(partition)
    deepest = max((level for ports in levels for level in ports), default=0)
    out.words(len(partition.instances), max(clusters) + 1, deepest)
    for index, instance in enumerate(partition.instances[1:], 1):
        out.words(place[instance.part], clusters[index])
        out.text(".".join(instance.path))
        out.words(*levels[index])
    driver = partition.driver_ports
    out.words(len(driver))
    for name, (width, is_input) in driver.items():
        out.text(name)
        out.words(width, int(is_input))
    driver_index = {name: index for index, name in enumerate(driver)}

    def port(instance: int, name: str) -> int:
        if instance == HOST:
            return driver_index[name]
        return partition.parts[partition.instances[instance].part].index(name)

    out.words(len(partition.joins))
    for join in partition.joins:
        out.words(join.source, port(join.source, join.output), join.source_offset)
        out.words(join.sink, port(join.sink, join.input), join.sink_offset, join.width)
    out.words(len(partition.constants))
    for constant in partition.constants:
        out.words(constant.sink, port(constant.sink, constant.input), constant.offset)
        out.words(constant.width)
        for shift in range(0, constant.width, 32):
            out.words(constant.value >> shift & 0xFFFFFFFF)
    return out.result()


def _clusters(partition: Partition) -> list[int]:
    """The cluster of each instance; what is in none of them counts to the first."""
    names = sorted(
        {i.path[0] for i in partition.instances if i.path and i.path[0].startswith("cluster_")}
    )
    number = {name: index for index, name in enumerate(names)}
    return [number.get(i.path[0], 0) if i.path else 0 for i in partition.instances]


def _are_apart(partition: Partition, clusters: list[int]) -> bool:
    """Whether nothing follows an output of another cluster without a clock edge."""
    for join in partition.joins:
        if HOST not in (join.source, join.sink) and clusters[join.source] != clusters[join.sink]:
            part = partition.parts[partition.instances[join.sink].part]
            if part.ports[part.index(join.input)].follows:
                return False
    return True


def _levels(partition: Partition) -> list[list[int]]:
    """For each instance and port: 0, or of an input that outputs follow, its place in the order.

    It is one more than the highest of the outputs that give it, so that by evaluating in this
    order each instance is evaluated after what it depends on.
    """
    sources: dict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
    for join in partition.joins:
        sources[join.sink, join.input].append((join.source, join.output))
    done: dict[tuple[int, str], int] = {}

    def before(node: tuple[int, str]) -> list[tuple[int, str]]:
        """The outputs that the output ``node`` follows."""
        instance, port = node
        if instance == HOST:
            return []
        part = partition.parts[partition.instances[instance].part]
        return [s for entry in part.follows[port] for s in sources[instance, entry]]

    def level(start: tuple[int, str]) -> int:
        stack = [start]
        while stack:
            node = stack[-1]
            if done.get(node, _PENDING) != _PENDING:
                stack.pop()
                continue
            earlier = before(node)
            missing = [other for other in earlier if other not in done]
            if node not in done and missing:
                done[node] = _PENDING  # a loop over ports ends here: the engine evaluates again
                stack += missing
                continue
            part_follows = node[0] != HOST and bool(
                partition.parts[partition.instances[node[0]].part].follows[node[1]]
            )
            highest = max((max(done.get(other, 0), 0) for other in earlier), default=0)
            done[node] = min(highest + 1, MOST_LEVELS) if part_follows else 0
            stack.pop()
        return done[start]

    result: list[list[int]] = [[]]
    for index, instance in enumerate(partition.instances[1:], 1):
        row = []
        for port in partition.parts[instance.part].ports:
            highest = 0
            if port.follows:
                highest = 1 + max((level(s) for s in sources[index, port.name]), default=0)
            row.append(min(highest, MOST_LEVELS))
        result.append(row)
    return result
