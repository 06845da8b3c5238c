"""Lowering: a placed workflow to the tables, images, descriptors and buffers of a chip.

Each cluster's memory holds, from offset 0: kernel table, kernel images, task descriptors,
constants of its tasks, then for every instance slot the tensors that its tasks write (inputs
of the workflow lie in the source's cluster). All word layouts come from ``hw.layouts``.
"""

from collections.abc import Iterable
from dataclasses import replace

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.command import IndexSettings
from octopus.hw.layouts.space import (
    CONFIGURATION_BIT,
    KERNEL_TABLE_ENTRY_WORDS,
    WORD_BYTES,
    ClusterRegister,
    ConfigurationRegion,
    address_of,
)
from octopus.hw.layouts.words import pack

from .kernels.task import Buffer, Kernel, Task, TaskError
from .lowering_indices import IndexPlan
from .lowering_tables import TaskLaunch, block_tables
from .policies.placement import Placement
from .program import LoweringError, Program, Region, TensorPlace
from .workflow import Block, Role, Tensor, Workflow, validate
from .workflow.graph import required

CYCLE_LIMIT = 1 << 20
"""Cycles after which a task's watchdog ends it, unless told otherwise."""

Cluster = tuple[int, int]


def lower(
    workflow: Workflow,
    placement: Placement,
    config: OctopusConfig,
    *,
    slots: int | None = None,
    cycle_limit: int = CYCLE_LIMIT,
) -> Program:
    """The program of a placed workflow.

    Parameters
    ----------
    slots: instances in flight; None: as many as tables and memories allow.
    cycle_limit: of each task, 0 for none.

    Raises:
        WorkflowError: the workflow has a fault or is too large for the tables.
        PlacementError: the placement does not suit.
        LoweringError: something does not fit; the message says where and how much.
    """
    validate(workflow, config)
    placement.check(workflow, config)
    indices = IndexPlan(workflow, config)
    limit = indices.instances
    if slots is not None and not 1 <= slots <= limit:
        raise LoweringError(f"slots is {slots}; allowed: 1 to {limit}")
    numbers = {block.name: number for number, block in enumerate(workflow.blocks)}
    program = Program(workflow, config, placement, slots or limit, numbers)
    clusters = {
        placement[block.name].cluster: _ClusterLowering(
            program, indices, placement[block.name].cluster
        )
        for block in workflow.blocks
    }
    for cluster in clusters.values():
        cluster.place_fixed()
    program.slots = _fit_slots(program, clusters.values(), slots)
    for cluster in clusters.values():
        cluster.place_tensors()
    for cluster in clusters.values():
        cluster.write(cycle_limit)
    return program


def _fit_slots(program: Program, clusters: "Iterable[_ClusterLowering]", slots: int | None) -> int:
    """The number of instance slots for which every cluster has room."""
    fitting = program.slots
    for cluster in clusters:
        needed = cluster.used + cluster.slot_words * (slots or 1)
        if needed > cluster.memory_words:
            raise LoweringError(
                f"cluster {cluster.cluster}: workflow {program.workflow.name} needs {needed} words "
                f"of memory for {slots or 1} instance slots ({cluster.describe()}); "
                f"there are {cluster.memory_words}"
            )
        if cluster.slot_words:
            fitting = min(fitting, (cluster.memory_words - cluster.used) // cluster.slot_words)
    return fitting


class _ClusterLowering:
    """The memory and tables of one cluster."""

    def __init__(self, program: Program, indices: IndexPlan, cluster: Cluster) -> None:
        self.program = program
        self.indices = indices
        self.cluster = cluster
        self.memory_words = program.config.cluster.memory_words
        self.regions: list[Region] = program.regions.setdefault(cluster, [])
        self.used = 0
        workflow, placement = program.workflow, program.placement
        self.tasks = [b for b in workflow.tasks if placement[b.name].cluster == cluster]
        self.kernels: list[Kernel] = []
        for block in self.tasks:
            if required(block).kernel not in self.kernels:
                self.kernels.append(required(block).kernel)
        self.tensors = [t for t in workflow.tensors.values() if _home(program, t) == cluster]
        self.slot_words = sum(self._place(tensor, 0).words for tensor in self.tensors)
        self.images: list[list[int]] = []
        self.launches: dict[str, TaskLaunch] = {}
        self.constants: dict[str, TensorPlace] = {}

    def describe(self) -> str:
        """What takes how many words."""
        return ", ".join(f"{region.label} {region.words}" for region in self.regions)

    def place_fixed(self) -> None:
        """Find room for everything that does not depend on the number of slots."""
        self._reserve("kernel table", len(self.kernels) * KERNEL_TABLE_ENTRY_WORDS)
        for number, kernel in enumerate(self.kernels):
            try:
                self.images.append(kernel.image(self.program.config.pea, number))
            except TaskError as error:
                raise LoweringError(f"kernel {kernel.name}: {error}") from None
            self._reserve(f"image {kernel.name}", len(self.images[-1]))
        for block in self.tasks:
            # The buffers' addresses are not known yet, but a descriptor's length is.
            words = self._descriptor(block, dict.fromkeys(block.bindings, Buffer(0)), 0)
            region = self._reserve(f"descriptor {block.name}", len(words))
            self.launches[block.name] = TaskLaunch(
                address_of(*self.cluster, region.offset),
                self.kernels.index(required(block).kernel),
            )
        for block in self.tasks:
            for binding in block.bindings.values():
                tensor = self.program.workflow.tensors[binding.tensor]
                if tensor.role is Role.CONSTANT and tensor.name not in self.constants:
                    needed = self._place(tensor, 0).words
                    region = self._reserve(f"constant {tensor.name}", needed)
                    self.constants[tensor.name] = self._place(tensor, region.offset)

    def place_tensors(self) -> None:
        """Find room for the tensors of all slots."""
        for tensor in self.tensors:
            words = self._place(tensor, 0).words
            region = self._reserve(f"tensor {tensor.name}", words * self.program.slots)
            self.program.tensors[tensor.name] = self._place(tensor, region.offset)

    def write(self, cycle_limit: int) -> None:
        """Add the cluster's writes to the program."""
        table: list[int] = []
        for number, image in enumerate(self.images):
            table += [self.regions[1 + number].offset, len(image)]
        content = [table, *self.images]
        for block in self.tasks:
            content.append(self._descriptor(block, self._buffers(block), cycle_limit))
        for name, place in self.constants.items():
            tensor = self.program.workflow.tensors[name]
            content.append(place.to_memory(tensor.operand.to_words(tensor.value)))
        # Regions follow each other without gaps: one long write.
        self._write(0, [word for words in content for word in words])
        for offset, words in block_tables(self.program, self.indices, self.cluster, self.launches):
            self._write(1 << CONFIGURATION_BIT | offset, words)
        registers = 1 << CONFIGURATION_BIT | ConfigurationRegion.REGISTERS
        self._write(registers | ClusterRegister.KERNEL_TABLE_ADDRESS, [self.regions[0].offset])
        settings = {
            "store_bits": self.indices.store_bits,
            "inner_bits": self.indices.inner_bits,
        }
        self._write(registers | ClusterRegister.INDEX_SETTINGS, pack(IndexSettings, settings))
        # The same number may have meant another kernel before: only a change makes TBUs forget.
        for count in (0, len(self.kernels)):
            self._write(registers | ClusterRegister.KERNEL_COUNT, [count])

    def _place(self, tensor: Tensor, offset: int) -> TensorPlace:
        """A tensor's place from a byte offset on; each slot of what is no constant has a copy."""
        rows = self.indices.rows(tensor)
        place = TensorPlace(tensor.operand, Buffer(address_of(*self.cluster, offset)), rows)
        if tensor.role is Role.CONSTANT:
            return place
        buffer = Buffer(place.buffer.address, instance_stride=place.words * WORD_BYTES)
        return replace(place, buffer=buffer)

    def _reserve(self, label: str, words: int) -> Region:
        region = Region(label, self.used * WORD_BYTES, words)
        self.regions.append(region)
        self.used += words
        return region

    def _write(self, offset: int, words: list[int]) -> None:
        if words:
            self.program.writes.append((address_of(*self.cluster, offset), words))

    def _descriptor(self, block: Block, buffers: dict[str, Buffer], limit: int) -> list[int]:
        task: Task = required(block)
        number = self.kernels.index(task.kernel)
        try:
            return task.descriptor(self.program.config, number, buffers, cycle_limit=limit)
        except TaskError as error:
            raise LoweringError(f"block {block.name}: {error}") from None

    def _buffers(self, block: Block) -> dict[str, Buffer]:
        """Where the operands of a task are."""
        buffers = {}
        for operand, binding in block.bindings.items():
            tensor = self.program.workflow.tensors[binding.tensor]
            place = self.constants.get(tensor.name) or self.program.tensors[tensor.name]
            stride = self.indices.stride(block.name, tensor) if binding.by_index else 0
            buffers[operand] = Buffer(
                place.buffer.address, place.buffer.instance_stride, index_stride=stride
            )
        return buffers


def _home(program: Program, tensor: Tensor) -> Cluster | None:
    """The cluster whose memory holds a tensor's copies; None for constants."""
    if tensor.role is Role.CONSTANT:
        return None
    writers = program.workflow.writers(tensor.name)
    owner = program.workflow.source if tensor.role is Role.INPUT or not writers else writers[0]
    return program.placement[owner.name].cluster
