"""Measures how long the chip takes from the end of one task to the start of the next.

Two tasks with a branch between them, all operands constant: what is measured is what control costs.
The chip shows in cycles what each Task Block Unit does (``Activity``, a register); from the
changes follow, exactly:

- the completion of a task is offered in the first cycle that no longer shows OUTPUT (in the one
  before, the task is handed to the register that offers it);
- the array makes its first step in the cycle after the first that shows RUN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.activity import Activity, ActivityState
from octopus.hw.layouts.block import (
    BlockEntry,
    BlockKind,
    Comparison,
    SuccessorEntry,
)
from octopus.hw.layouts.descriptor import DescriptorHeader
from octopus.hw.layouts.space import (
    CONFIGURATION_BIT,
    KERNEL_TABLE_ENTRY_WORDS,
    WORD_BYTES,
    ClusterRegister,
    ConfigurationRegion,
    address_of,
)
from octopus.hw.layouts.token import TokenKind
from octopus.hw.layouts.words import pack, unpack
from octopus.sched.driver_protocol import Driver, HostToken
from octopus.sched.kernels.reduction import ArgMax
from octopus.sched.kernels.task import Buffer
from octopus.sim.chip import ActivityEvent

LENGTH = 64
SOURCE, FIRST, BRANCH, SECOND, SINK = range(5)
HERE = (0, 0)
LIMIT_CYCLES = 100_000
INSTANCE = 1
Cluster = tuple[int, int]


@dataclass(frozen=True)
class Latency:
    """From the first task's completion to the first step of the second one's array, in cycles.

    ``cycles`` begins with the first cycle in which the completion is offered; ``from_end`` with
    the one before, in which the task ends and is handed to the register that offers it.
    """

    cycles: int
    units: tuple[int, int]

    @property
    def from_end(self) -> int:
        """One more, always: between end and offer is one register."""
        return self.cycles + 1


class ControlProbe:
    """Two tasks and a branch on a chip.

    Parameters
    ----------
    driver: of a chip that has just been reset. config: the chip.
    other: the cluster of the second task.
    announced: the source announces the second task.
    host_driven: instead of the branch the host decides.
    """

    def __init__(
        self,
        driver: Driver,
        config: OctopusConfig,
        other: Cluster = HERE,
        announced: bool = True,
        host_driven: bool = False,
    ) -> None:
        self.driver, self.config = driver, config
        self.other, self.announced, self.host_driven = other, announced, host_driven
        for cluster in {HERE, other}:
            self._load(cluster)

    def run(self) -> None:
        """One instance from start to end."""
        self._inject(HERE, SOURCE)
        if self.host_driven:
            token = self._wait()
            # What a host would do: look at the value and start what follows.
            assert token.block == FIRST
            self._inject(self.other, SECOND, int(token.value == 0))
        assert self._wait().block == SINK

    def _inject(self, cluster: Cluster, block: int, value: int = 0) -> None:
        self.driver.inject(*cluster, HostToken(block, INSTANCE, value))

    def _wait(self) -> HostToken:
        tokens = self.driver.wait(LIMIT_CYCLES)
        assert len(tokens) == 1 and tokens[0].kind is TokenKind.COMPLETE, tokens
        return tokens[0]

    def _load(self, cluster: Cluster) -> None:
        """Kernel table, image, descriptor and operands; then the tables."""
        task = ArgMax(LENGTH, "int32")
        image = task.kernel.image(self.config.pea, 0)
        image_offset = KERNEL_TABLE_ENTRY_WORDS * WORD_BYTES
        data_offset = image_offset + WORD_BYTES * len(image)
        descriptor_offset = data_offset + WORD_BYTES * LENGTH
        (operand,) = task.inputs
        buffers = {operand.name: Buffer(address_of(*cluster, data_offset))}
        words = task.descriptor(self.config, 0, buffers)
        header = unpack(DescriptorHeader, words) | {"early_inputs": 1}
        count = len(pack(DescriptorHeader, header))
        words[:count] = pack(DescriptorHeader, header)
        data = operand.to_words(np.arange(LENGTH, 0, -1, dtype=np.int32))
        self._write(cluster, 0, [image_offset, len(image), *image, *data, *words])
        self._tables(cluster, address_of(*cluster, descriptor_offset))

    def _tables(self, cluster: Cluster, descriptor: int) -> None:
        successors: list[list[int]] = []
        task = {"descriptor": descriptor, "shards": 1}
        to_second = [self._entry(self.other, SECOND, arm=1)]
        after_first = [self._entry(HERE, BRANCH)]
        if self.host_driven:
            after_first = [self._entry(None, FIRST, TokenKind.COMPLETE)]
        after_source = [self._entry(HERE, FIRST)]
        if self.announced and not self.host_driven:
            after_source.append(self._entry(self.other, SECOND, TokenKind.FORECAST, likely=1))
        blocks: dict[int, tuple[dict[str, Any], Sequence[list[int]]]] = {
            SOURCE: ({"kind": BlockKind.SOURCE}, after_source),
            FIRST: ({"kind": BlockKind.TASK, **task}, after_first),
            BRANCH: ({"kind": BlockKind.BRANCH, "comparison": Comparison.EQ}, to_second),
            SECOND: ({"kind": BlockKind.TASK, **task}, [self._entry(self.other, SINK)]),
            SINK: ({"kind": BlockKind.SINK}, [self._entry(None, SINK, TokenKind.COMPLETE)]),
        }
        for number, (fields, entries) in blocks.items():
            place = {"first_successor": len(successors), "successor_count": len(entries)}
            offset = ConfigurationRegion.BLOCK_TABLE + 32 * number
            self._write(cluster, 1 << CONFIGURATION_BIT | offset, pack(BlockEntry, fields | place))
            successors += entries
        table = 1 << CONFIGURATION_BIT | ConfigurationRegion.SUCCESSOR_TABLE
        self._write(cluster, table, [word for entry in successors for word in entry])
        registers = 1 << CONFIGURATION_BIT | ConfigurationRegion.REGISTERS
        self._write(cluster, registers | ClusterRegister.KERNEL_TABLE_ADDRESS, [0, 1])

    def _entry(
        self,
        destination: Cluster | None,
        block: int,
        kind: TokenKind = TokenKind.ARRIVE,
        arm: int = 0,
        likely: int = 0,
    ) -> list[int]:
        x, y = destination or HERE
        node = {"x": x, "y": y, "host": int(destination is None)}
        fields = {"block": block, "kind": kind, "arm": arm, "likely": likely}
        return pack(SuccessorEntry, fields | {"destination": node})

    def _write(self, cluster: Cluster, offset: int, words: list[int]) -> None:
        self.driver.write_memory(address_of(*cluster, offset), words)


def latency(events: Sequence[ActivityEvent]) -> Latency:
    """Of the last run that ``events`` show."""
    changes = [(event, unpack(Activity, [event.activity])) for event in events]
    output, run = ActivityState.OUTPUT.value, ActivityState.RUN.value
    state: dict[int, int] = {}
    ended: list[tuple[int, int]] = []
    began: list[tuple[int, int]] = []
    for event, fields in changes:
        if state.get(event.unit) == output and fields["state"] != output:
            ended.append((event.cycle, event.unit))
        if fields["state"] == run and state.get(event.unit) != run:
            began.append((event.cycle, event.unit))
        state[event.unit] = fields["state"]
    (end, first), (begin, second) = ended[-2], began[-1]
    return Latency((begin + 1) - end, (first, second))


def small_chip(columns: int = 2) -> OctopusConfig:
    """A row of clusters of two small Task Block Units, with room for large workflows."""
    content = OctopusConfig.load("tiny").model_dump()
    content["name"] = "random"
    content["mesh"] = {"rows": 1, "columns": columns}
    content["cluster"] |= {"task_block_units": 2, "memory_words": 16384}
    content["control_block_unit"] |= {"blocks": 128, "successors": 256}
    return OctopusConfig.model_validate(content)
