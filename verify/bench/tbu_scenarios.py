"""Random sequences of tasks for a TBU, sound and spoilt, with what the golden model says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import (
    DESCRIPTOR_HEADER_WORDS,
    DESCRIPTOR_MAGIC,
    DMA_ENTRY_WORDS,
    DescriptorHeader,
    DmaEntry,
    Status,
)
from octopus.hw.layouts.space import WORD_BYTES
from octopus.hw.layouts.token import (
    BLOCK_BITS,
    INDEX_BITS,
    INSTANCE_BITS,
    SHARD_BITS,
)
from octopus.hw.layouts.words import pack
from octopus.sched.kernels.elementwise import Scale, VectorAdd
from octopus.sched.kernels.matrix import Dense, Gemm
from octopus.sched.kernels.reduction import ArgMax, Confidence
from octopus.sched.kernels.task import Buffer, Operand, Task
from octopus.verify.golden import tbu
from octopus.verify.golden.regions import Region

from .tbu_faults import (
    HEADER,
    NOWHERE,
    REGIONS,
    SPOILT_WORDS,
    UNUSED_KERNEL,
    Fault,
    descriptor_faults,
    image_faults,
    word_faults,
)
from .tbu_tasks import TaskMemory

SPATIAL = (Status.ADDRESS_OUT_OF_RANGE, Status.REGION_VIOLATION)

LIMITS = {"int8": (-128, 128), "int32": (-(1 << 31), 1 << 31)}


@dataclass(frozen=True)
class Output:
    """A region that a task writes; ``masks`` has the bits of each word that are defined."""

    address: int
    masks: list[int]

    @property
    def addresses(self) -> range:
        """The byte address of every word."""
        return range(self.address, self.address + WORD_BYTES * len(self.masks), WORD_BYTES)


@dataclass
class Step:
    """One dispatch: its fields, what the task writes, and the status meant by a fault."""

    name: str
    dispatch: dict[str, int]
    outputs: list[Output] = field(default_factory=list)
    expected: Status = Status.OK


def random_task(random: Random) -> Task:
    """A small task of a random kind."""
    size = random.randint(1, 24)
    rows = random.randint(1, 5)
    kinds = (
        lambda: Dense(
            size,
            random.randint(1, 9),
            rows=rows,
            multiplier=random.choice((1, 77, 0xFFFF)),
            shift=random.choice((0, 7, 20)),
            zero_point=random.randrange(-9, 9),
            relu=bool(random.getrandbits(1)),
        ),
        lambda: Gemm(size, random.randint(1, 9), rows=rows),
        lambda: VectorAdd(size),
        lambda: Scale(size, random.choice((3, -7)), random.choice((0, 4))),
        lambda: Confidence(size + 1),
        lambda: ArgMax(size, "int32"),
    )
    return random.choice(kinds)()


def random_array(random: Random, operand: Operand) -> np.ndarray[Any, Any]:
    """Values over the operand's whole range."""
    generator = np.random.default_rng(random.getrandbits(32))
    return generator.integers(*LIMITS[operand.dtype], operand.shape).astype(operand.dtype)


def random_dispatch(
    random: Random, descriptor: int, instances: int = 1 << INSTANCE_BITS
) -> dict[str, int]:
    """A dispatch of ``descriptor`` with random tags, small enough for strided buffers."""
    shards = random.randrange(1, 1 << SHARD_BITS)
    return {
        "descriptor": descriptor,
        "block": random.getrandbits(BLOCK_BITS),
        "instance": random.getrandbits(INSTANCE_BITS) % instances,
        "index": random.getrandbits(INDEX_BITS),
        "shard": random.randrange(shards),
        "shards": shards,
        "value": random.getrandbits(32),
        "domain": random.choice((0, 0, 1, 2)),
    }


class Scenario:
    """A memory with everything a sequence of tasks needs.

    Parameters
    ----------
    config: the chip. random: of all choices. tasks: how many. spoilt: probability of a fault.
    instances: which numbers of them there are. kernel_count: entries the kernel table is said to
    have.
    """

    kernel_count = 120

    def __init__(
        self,
        config: OctopusConfig,
        random: Random,
        tasks: int,
        spoilt: float = 0.0,
        instances: int = 1 << INSTANCE_BITS,
    ) -> None:
        self.config = config
        self.instances = instances
        self.random = random
        self.store = TaskMemory(config, 1 << 17)
        unit = config.task_block_unit
        self.faults = descriptor_faults(unit.descriptor_words, unit.scratchpad_words)
        self.faults += image_faults() + word_faults()
        self._spare_kernel = self.kernel_count - 1
        self.regions: Sequence[Region] = REGIONS
        self.steps = []
        for _ in range(tasks):
            fault = random.choice(self.faults) if random.random() < spoilt else None
            self.steps.append(self._step(fault))

    @classmethod
    def of_every_fault(cls, config: OctopusConfig, random: Random) -> "Scenario":
        """Each fault twice, after a task of the same domain and of another; sound ones between."""
        scenario = cls(config, random, 0)
        faults = [(fault, same) for fault in scenario.faults for same in (False, True)]
        random.shuffle(faults)
        domain = 0
        for fault, same in faults:
            if "image" in fault.name and same:
                continue  # each takes an entry of the kernel table for good
            domain = domain if same else (domain + 1) % 3
            scenario.steps.append(scenario._step(fault, domain=domain))
            # The run behind a task that ran past its limit is prepared and starts at once.
            if random.random() < 0.2 or fault.status is Status.WATCHDOG:
                scenario.steps.append(scenario._step(None, domain=domain))
        statuses = (Status.KERNEL_INVALID, *SPOILT_WORDS.values())
        for status in statuses:
            fault = next(fault for fault in scenario.faults if fault.status is status)
            scenario.steps.append(scenario._step(fault, domain=domain))
        # The last one fails while nothing else is there.
        scenario.steps += [scenario._missing_descriptor(), scenario._step(None)]
        scenario.steps.append(scenario._missing_descriptor())
        return scenario

    def add(self, tasks: Sequence[Task], domains: int) -> None:
        """Append sound tasks, of ``domains`` domains in turns."""
        for number, task in enumerate(tasks):
            self.steps.append(self._step(None, task, number % domains))

    def add_copy(self, words: int, fills: bool, domain: int, half: int) -> None:
        """Append a task that only fills its part of the scratchpad, or only stores it.

        What it stores is not defined for the model: the masks of its output are zero.
        """
        store = self.store
        address = store.allocate(words)
        secrets = [self.random.getrandbits(32) | 1 for _ in range(words)]
        number = store.kernel_number(VectorAdd(4).kernel)
        header = {
            "magic": DESCRIPTOR_MAGIC,
            "domain": domain,
            "kernel": number,
            "half_scratchpad": half,
            "input_count": int(fills),
            "output_count": int(not fills),
            "descriptor_words": DESCRIPTOR_HEADER_WORDS + DMA_ENTRY_WORDS,
        }
        entry = {"memory_address": address, "row_words": words, "rows": 1}
        descriptor = pack(DescriptorHeader, header) + pack(DmaEntry, entry)
        if fills:
            store.memory.write_words(address, secrets)
        dispatch = random_dispatch(self.random, store.place(descriptor)) | {"domain": domain}
        outputs = [] if fills else [Output(address, [0] * words)]
        self.steps.append(Step("fill" if fills else "store", dispatch, outputs))

    def golden(self) -> tuple[tbu.TaskBlockUnit, list[tbu.Outcome]]:
        """The outcomes on the golden model, and that model (with its memory) afterwards."""
        memory = self.store.memory.copy()
        unit = tbu.TaskBlockUnit(
            self.config,
            memory,
            self.store.kernel_table_address,
            self.kernel_count,
            regions=self.regions,
        )
        names = ("descriptor", "value", "instance", "index", "shard", "domain")
        outcomes = []
        for step in self.steps:
            outcome = unit.run(tbu.Task(**{name: step.dispatch[name] for name in names}))
            assert outcome.status is step.expected, f"{step.name}: {outcome}"
            outcomes.append(outcome)
        return unit, outcomes

    def _missing_descriptor(self) -> Step:
        dispatch = random_dispatch(self.random, NOWHERE)
        return Step("no such descriptor", dispatch, expected=Status.ADDRESS_OUT_OF_RANGE)

    def _step(
        self, fault: Fault | None, chosen: Task | None = None, domain: int | None = None
    ) -> Step:
        """A random task, its operands and descriptor stored, spoilt by ``fault`` if given."""
        random, store = self.random, self.store
        task = chosen or random_task(random)
        if fault is not None and fault.status in SPATIAL:
            # Every stream and transfer of this one is used to its end.
            task = VectorAdd(random.randint(4, 24))
        if fault is not None and "output" in fault.name:
            task = VectorAdd(random.randint(4, 24))
        number = store.kernel_number(task.kernel)
        assert number < UNUSED_KERNEL < self._spare_kernel, "the kernel table is full"
        dispatch = random_dispatch(random, 0, self.instances)
        if domain is not None:
            dispatch["domain"] = domain
        buffers = self._place(task, dispatch)
        descriptor = task.descriptor(self.config, number, buffers, domain=dispatch["domain"])
        status, name = Status.OK, task.name
        if fault is not None:
            status, name = fault.status, f"{task.name} with fault: {fault.name}"
            if fault.status is Status.KERNEL_INVALID or "image" in fault.name:
                image = fault.spoil(task.kernel.image(self.config.pea, 0), random)
                store.place_image(self._spare_kernel, image)
                if fault.status in SPOILT_WORDS.values():
                    store.spoil_image(self._spare_kernel, random, self._spoilt(fault))
                descriptor = HEADER.changed(descriptor, kernel=self._spare_kernel)
                self._spare_kernel -= 1
            else:
                descriptor = fault.spoil(descriptor, random)
        dispatch["descriptor"] = place = store.place(descriptor)
        if fault is not None and fault.status in SPOILT_WORDS.values():
            self._spoil_word(fault, place, len(descriptor), task, buffers, dispatch)
        outputs = [
            Output(
                self._address(buffers[operand.name], dispatch),
                operand.to_words(np.full(operand.shape, -1)),
            )
            for operand in task.outputs
        ]
        return Step(name, dispatch, outputs, status)

    def _spoilt(self, fault: Fault) -> set[int]:
        """The addresses of words that are spoilt as the fault's name says."""
        memory = self.store.memory
        return memory.lost if fault.status is Status.NETWORK_ERROR else memory.damaged

    def _spoil_word(
        self,
        fault: Fault,
        descriptor: int,
        words: int,
        task: Task,
        buffers: dict[str, Buffer],
        dispatch: dict[str, int],
    ) -> None:
        """Spoil a word of the ``words`` at ``descriptor`` or of an operand, as the fault says."""
        if "image" in fault.name:
            return
        if "descriptor" in fault.name:
            header = range(DESCRIPTOR_HEADER_WORDS)
            rest = range(DESCRIPTOR_HEADER_WORDS, words)
            word = self.random.choice(header if "header" in fault.name else rest)
        else:
            operand = (task.outputs if "output" in fault.name else task.inputs)[0]
            descriptor = self._address(buffers[operand.name], dispatch)
            word = self.random.randrange(operand.words)
        self._spoilt(fault).add(descriptor + WORD_BYTES * word)

    def _place(self, task: Task, dispatch: dict[str, int]) -> dict[str, Buffer]:
        """Store the inputs where this dispatch will look for them, strides included."""
        buffers = {}
        for operand in task.operands:
            strides = [WORD_BYTES * self.random.choice((0, 1, 5)) for _ in range(3)]
            address = self.store.allocate(operand.words)
            shift = sum(
                dispatch[tag] * stride
                for tag, stride in zip(("instance", "index", "shard"), strides, strict=True)
            )
            buffers[operand.name] = Buffer((address - shift) & 0xFFFFFFFF, *strides)
            if operand in task.inputs:
                words = operand.to_words(random_array(self.random, operand))
                self.store.memory.write_words(address, words)
        return buffers

    @staticmethod
    def _address(buffer: Buffer, dispatch: dict[str, int]) -> int:
        shift = (
            dispatch["instance"] * buffer.instance_stride
            + dispatch["index"] * buffer.index_stride
            + dispatch["shard"] * buffer.shard_stride
        )
        return (buffer.address + shift) & 0xFFFFFFFF


def written_elsewhere(scenario: Scenario, addresses: Sequence[int]) -> set[int]:
    """Those of the written byte addresses that belong to no task's outputs."""
    allowed = {
        address
        for step in scenario.steps
        for output in step.outputs
        for address in output.addresses
    }
    return set(addresses) - allowed
