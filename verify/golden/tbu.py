"""Golden model of a Task Block Unit: what a task does to memory and reports (section TBU)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Edge, Status
from octopus.hw.layouts.kernel import HEADER_WORDS
from octopus.hw.layouts.space import KERNEL_TABLE_ENTRY_WORDS, WORD_BYTES
from octopus.hw.layouts.words import WORD_MASK

from .descriptor import Descriptor, TaskFailure, check_image, read_descriptor
from .memory import AccessError, DamageError, GlobalMemory, NetworkError, Scratchpad
from .pea import ProcessingElementArray
from .regions import OPEN, GuardedMemory, Region, RegionError
from .sequencer import Header, SequencerToken, tokens
from .stream import Port


@dataclass(frozen=True)
class Task:
    """A dispatch as the model sees it; fields as ``Dispatch``."""

    descriptor: int
    value: int = 0
    instance: int = 0
    index: int = 0
    shard: int = 0
    domain: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    ``array_cycles`` counts cycles in which the array advanced; ``reason`` is for people.
    ``stored``: output DMA began, so that a failing task may have changed memory.
    """

    status: Status
    value: int = 0
    array_cycles: int = 0
    stored: bool = False
    reason: str = ""


class TaskBlockUnit:
    """Executes tasks one at a time on a shared :class:`GlobalMemory`.

    Parameters
    ----------
    config: sizes of the unit. memory: global memory.
    kernel_table_address: byte offset of the kernel table in the unit's cluster.
    kernel_count: entries of that table. cluster_base: global address of the cluster's offset 0.
    regions: the region table; after reset domain 0 may do everything.
    """

    def __init__(
        self,
        config: OctopusConfig,
        memory: GlobalMemory,
        kernel_table_address: int,
        kernel_count: int,
        cluster_base: int = 0,
        regions: Sequence[Region] = OPEN,
    ) -> None:
        self.config = config
        self.guarded = GuardedMemory(memory, regions, config.cluster.burst_words)
        self.memory = memory
        self.kernel_table_address = kernel_table_address
        self.kernel_count = kernel_count
        self.cluster_base = cluster_base
        self.scratchpad = Scratchpad(0)
        self.tasks = 0
        self.array = ProcessingElementArray(config.pea)
        self._seen_exit = False

    def run(self, task: Task) -> Outcome:
        """Execute one task."""
        outcome = Outcome(Status.OK)
        try:
            read = partial(self.guarded.read, task.domain)
            descriptor = read_descriptor(self.config, read, task.descriptor, task.domain)
            image = self._image(descriptor.header["kernel"], task.domain)
            self._own_scratchpad(descriptor)
            for entry in descriptor.inputs:
                self._copy(entry, task, to_scratchpad=True)
            cycles = self._execute(descriptor, image, task)
            value = task.value
            if descriptor.header["has_result"]:
                value = self.scratchpad.read(descriptor.header["result_address"])
            outcome = replace(outcome, array_cycles=cycles, stored=True)
            for entry in descriptor.outputs:
                self._copy(entry, task, to_scratchpad=False)
            return replace(outcome, value=value)
        except TaskFailure as failure:
            return replace(outcome, status=failure.status, reason=str(failure))
        except RegionError as error:
            return replace(outcome, status=Status.REGION_VIOLATION, reason=str(error))
        except DamageError as error:
            return replace(outcome, status=Status.MEMORY_PARITY, reason=str(error))
        except NetworkError as error:
            return replace(outcome, status=Status.NETWORK_ERROR, reason=str(error))
        except AccessError as error:
            return replace(outcome, status=Status.ADDRESS_OUT_OF_RANGE, reason=str(error))

    def _own_scratchpad(self, descriptor: Descriptor) -> None:
        """Give the task its scratchpad, with whatever content earlier tasks may have left."""
        words = self.config.task_block_unit.scratchpad_words
        if descriptor.header["half_scratchpad"]:
            words //= 2
        self.tasks += 1
        self.scratchpad = Scratchpad(words, seed=self.tasks)

    def _image(self, kernel: int, domain: int) -> list[int]:
        """The words of a kernel's image, checked."""
        read = partial(self.guarded.read, domain)
        if kernel >= self.kernel_count:
            raise TaskFailure(Status.KERNEL_UNKNOWN, f"kernel {kernel} of {self.kernel_count}")
        entry = kernel * KERNEL_TABLE_ENTRY_WORDS * WORD_BYTES
        table = self.cluster_base + self.kernel_table_address + entry
        offset, words = read(table, KERNEL_TABLE_ENTRY_WORDS)
        if words == 0:
            raise TaskFailure(Status.KERNEL_UNKNOWN, f"kernel {kernel} has length 0")
        address = self.cluster_base + offset
        start = read(address, HEADER_WORDS)
        check_image(self.config.pea, Header.of(start), words)
        return start + read(address + HEADER_WORDS * WORD_BYTES, words - HEADER_WORDS)

    def _copy(self, entry: dict[str, int], task: Task, to_scratchpad: bool) -> None:
        start = (
            entry["memory_address"]
            + task.instance * entry["instance_stride"]
            + task.index * entry["index_stride"]
            + task.shard * entry["shard_stride"]
        )
        for row in range(entry["rows"]):
            far = start + row * entry["memory_row_stride"]
            near = entry["scratchpad_address"] + row * entry["scratchpad_row_stride"]
            words = entry["row_words"]
            for place in (near, near + (words - 1) * WORD_BYTES):
                self.scratchpad.check(place)
            if to_scratchpad:
                for i, word in enumerate(self.guarded.read(task.domain, far & WORD_MASK, words)):
                    self.scratchpad.write(near + i * WORD_BYTES, word)
            else:
                self.guarded.write(
                    task.domain, far & WORD_MASK, words, partial(self._word, near & WORD_MASK)
                )

    def _word(self, address: int, index: int) -> int:
        """Scratchpad word ``index`` from a byte address on."""
        return self.scratchpad.read(address + index * WORD_BYTES)

    def _ports(self, descriptor: Descriptor) -> tuple[list[Port], list[Port]]:
        west = [Port(self.scratchpad) for _ in range(self.config.pea.rows)]
        north = [Port(self.scratchpad) for _ in range(self.config.pea.columns)]
        for group in descriptor.groups:
            edge = west if group.edge in (Edge.WEST_IN, Edge.WEST_OUT) else north
            for k in range(group.port_count):
                edge[group.first_port + k].configure(group, k)
        return west, north

    def _execute(self, descriptor: Descriptor, image: list[int], task: Task) -> int:
        """Run the array; the number of cycles in which it advanced."""
        self.array.reset()
        header = self.array.load(0, image)
        trips = descriptor.header["body_trips"]
        if descriptor.header["trips_from_token"]:
            trips = task.value
        limit = descriptor.header["cycle_limit"]
        west, north = self._ports(descriptor)
        run = tokens(header, trips, descriptor.header["outer_trips"], self.config.pea.stages)
        cycles = 0
        token = next(run, None)
        while token is not None:
            self._cycle(header, token, west, north)
            cycles += 1
            if limit and cycles > limit:
                raise TaskFailure(Status.WATCHDOG, f"more than {limit} cycles")
            try:
                token = run.send(self._seen_exit)
            except StopIteration:
                token = None
        return cycles

    def _cycle(
        self, header: Header, token: SequencerToken, west: list[Port], north: list[Port]
    ) -> None:
        skew = bool(header.skew)
        west_demands, north_demands = self.array.demands(token, skew)
        west_words = [p.demand() if d else None for p, d in zip(west, west_demands, strict=True)]
        north_words = [p.demand() if d else None for p, d in zip(north, north_demands, strict=True)]
        for ports, links in ((west, self.array.west_outputs), (north, self.array.north_outputs)):
            for port, word in zip(ports, links, strict=True):
                if word is not None:
                    port.push(word)
        self._seen_exit = self.array.exit
        self.array.step(token, skew, west_words, north_words)
