"""Builds task descriptors: scratchpad space, DMA transfers and streams of one task."""

from collections.abc import Mapping, Sequence

from amaranth.lib import data

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import (
    DESCRIPTOR_HEADER_WORDS,
    DESCRIPTOR_MAGIC,
    DMA_ENTRY_WORDS,
    STREAM_DIMENSIONS,
    STREAM_GROUP_WORDS,
    DescriptorHeader,
    DmaEntry,
    Edge,
    Element,
    StreamGroup,
    StreamMode,
)
from octopus.hw.layouts.space import WORD_BYTES
from octopus.hw.layouts.words import pack

from .banks import WavePorts
from .task import Buffer, Operand, Task, TaskError

COUNT_LIMIT = 0xFFFF
"""Largest count of a stream's dimension."""

ROW_LIMIT = 0xFFFF
"""Most words of a row, and most rows, of one DMA entry."""


class Launch:
    """One task's descriptor under construction.

    Parameters
    ----------
    config: the chip. task: for names in errors. buffers: one an operand, by name.

    Raises:
        TaskError: a buffer is missing or unknown.
    """

    def __init__(self, config: OctopusConfig, task: Task, buffers: Mapping[str, Buffer]) -> None:
        self.config = config
        self.task = task
        self._buffers = buffers
        self._used_bytes = 0
        self._inputs: list[list[int]] = []
        self._outputs: list[list[int]] = []
        self._groups: list[list[int]] = []
        names = [operand.name for operand in task.operands]
        for name in names:
            if name not in buffers:
                raise TaskError(f"{task.name} has no buffer for {name}")
        for name in buffers:
            if name not in names:
                raise TaskError(f"{task.name} has no operand {name}; it has {', '.join(names)}")

    @property
    def _scratchpad_bytes(self) -> int:
        return self.config.task_block_unit.scratchpad_words * WORD_BYTES

    @property
    def free_words(self) -> int:
        """Words of scratchpad not yet allocated."""
        return (self._scratchpad_bytes - self._used_bytes) // WORD_BYTES

    def budget(self, needed_words: int) -> int:
        """The words that a task of at least ``needed_words`` may take and not own more for it.

        That is half of the scratchpad if the task fits there, else all of it.
        """
        words = self.config.task_block_unit.scratchpad_words
        return words // 2 if needed_words <= words // 2 else words

    def allocate(self, what: str, words: int) -> int:
        """The scratchpad byte address of ``words`` fresh words.

        Raises:
            TaskError: the scratchpad is too small.
        """
        if words > self.free_words:
            raise TaskError(
                f"{self.task.name}: {what} needs {words} words of scratchpad, {self.free_words} of "
                f"{self.config.task_block_unit.scratchpad_words} are free"
            )
        address = self._used_bytes
        self._used_bytes += words * WORD_BYTES
        return address

    def row_stride(self, operand: Operand, default: int) -> int:
        """The bytes between the operand's rows in memory, if its buffer says so."""
        stride = self._buffers[operand.name].row_stride
        return default if stride is None else stride

    def load(
        self,
        operand: Operand,
        address: int,
        stride_words: int | None = None,
        *,
        memory_stride: int | None = None,
        offset: int = 0,
    ) -> None:
        """Copy an input to the scratchpad before the run, its rows ``stride_words`` apart.

        ``memory_stride``: bytes between its rows in memory, if the buffer's are not meant.
        ``offset``: bytes from the buffer to the first one.
        """
        entry = self._transfer(operand, address, stride_words, memory_stride, offset)
        self._inputs.append(entry)

    def store(
        self,
        operand: Operand,
        address: int,
        stride_words: int | None = None,
        *,
        memory_stride: int | None = None,
    ) -> None:
        """Copy an output from the scratchpad after the run; as :meth:`load`."""
        self._outputs.append(self._transfer(operand, address, stride_words, memory_stride))

    def _transfer(
        self,
        operand: Operand,
        address: int,
        stride_words: int | None,
        memory_stride: int | None = None,
        offset: int = 0,
    ) -> list[int]:
        buffer = self._buffers[operand.name]
        rows, row_words = operand.rows, operand.row_words
        stride = row_words if stride_words is None else stride_words
        dense = row_words * WORD_BYTES
        if memory_stride is None:
            memory_stride = dense if buffer.row_stride is None else buffer.row_stride
        if stride == row_words and memory_stride == dense and operand.words <= ROW_LIMIT:
            rows, row_words, stride = 1, operand.words, operand.words
            memory_stride = row_words * WORD_BYTES
        for what, value in (("rows", rows), ("words a row", row_words)):
            if value > ROW_LIMIT:
                raise TaskError(
                    f"{self.task.name}: {operand.name} has {value} {what}; allowed: {ROW_LIMIT}"
                )
        return self._packed(
            DmaEntry,
            {
                "memory_address": buffer.address + offset,
                "scratchpad_address": address,
                "row_words": row_words,
                "rows": rows,
                "memory_row_stride": memory_stride,
                "scratchpad_row_stride": stride * WORD_BYTES,
                "instance_stride": buffer.instance_stride,
                "index_stride": buffer.index_stride,
                "shard_stride": buffer.shard_stride,
            },
        )

    def stream(
        self,
        edge: Edge,
        base: int,
        pattern: Sequence[tuple[int, int]],
        *,
        first_port: int = 0,
        port_count: int = 1,
        port_stride: int = 0,
        element: Element = Element.WORD,
        mode: StreamMode = StreamMode.AFFINE,
    ) -> None:
        """Add a stream group.

        Parameters
        ----------
        base: scratchpad byte address. pattern: (count, stride in bytes), innermost first.
        """
        if len(pattern) > STREAM_DIMENSIONS:
            raise TaskError(
                f"{self.task.name}: a stream has {len(pattern)} dimensions; "
                f"allowed: {STREAM_DIMENSIONS}"
            )
        for d, (count, _) in enumerate(pattern):
            if not 1 <= count <= COUNT_LIMIT:
                raise TaskError(
                    f"{self.task.name}: stream {edge.name} {first_port}: count{d} is {count}; "
                    f"allowed: 1 to {COUNT_LIMIT}"
                )
        fields: dict[str, object] = {
            "edge": edge,
            "mode": mode,
            "element": element,
            "first_port": first_port,
            "port_count": port_count,
            "base": base,
            "port_stride": port_stride,
        }
        unused = [(1, 0)] * (STREAM_DIMENSIONS - len(pattern))
        for d, (count, stride) in enumerate([*pattern, *unused]):
            fields |= {f"count{d}": count, f"stride{d}": stride}
        self._groups.append(self._packed(StreamGroup, fields))

    def stream_wave(self, edge: Edge, base: int, ports: WavePorts) -> None:
        """Add the stream group of a token wave's operand."""
        self.stream(
            edge, base, ports.pattern, port_count=ports.ports, port_stride=ports.port_stride
        )

    def _packed(self, layout: type[data.Struct], fields: Mapping[str, object]) -> list[int]:
        """As :func:`pack`, with the task in the error."""
        try:
            return pack(layout, dict(fields))
        except ValueError as error:
            raise TaskError(f"{self.task.name}: {error}") from None

    def words(
        self,
        kernel_number: int,
        *,
        body_trips: int,
        outer_trips: int = 1,
        result_address: int | None = None,
        trips_from_token: bool = False,
        domain: int = 0,
        cycle_limit: int = 0,
    ) -> list[int]:
        """The finished descriptor.

        A task that fits half of the scratchpad owns only that, so that it can be prepared
        while another one runs.

        Raises:
            TaskError: longer than the TBU's descriptor store.
        """
        total = (
            DESCRIPTOR_HEADER_WORDS
            + DMA_ENTRY_WORDS * (len(self._inputs) + len(self._outputs))
            + STREAM_GROUP_WORDS * len(self._groups)
        )
        limit = self.config.task_block_unit.descriptor_words
        if total > limit:
            raise TaskError(f"{self.task.name}: descriptor of {total} words; allowed: {limit}")
        header = {
            "magic": DESCRIPTOR_MAGIC,
            "domain": domain,
            "kernel": kernel_number,
            "body_trips": body_trips,
            "outer_trips": outer_trips,
            "trips_from_token": int(trips_from_token),
            "has_result": int(result_address is not None),
            "half_scratchpad": int(2 * self._used_bytes <= self._scratchpad_bytes),
            "input_count": len(self._inputs),
            "output_count": len(self._outputs),
            "stream_count": len(self._groups),
            "result_address": result_address or 0,
            "cycle_limit": cycle_limit,
            "descriptor_words": total,
        }
        words = self._packed(DescriptorHeader, header)
        for part in (self._inputs, self._outputs, self._groups):
            for entry in part:
                words.extend(entry)
        return words
