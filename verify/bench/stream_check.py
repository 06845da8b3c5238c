"""What a descriptor's streams write in the scratchpad, against what it copies in and out."""

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import (
    DESCRIPTOR_HEADER_WORDS,
    DMA_ENTRY_WORDS,
    STREAM_GROUP_WORDS,
    DescriptorHeader,
    DmaEntry,
    Edge,
    Element,
    StreamMode,
)
from octopus.hw.layouts.words import unpack
from octopus.sched.kernels.task import Buffer, Task
from octopus.verify.golden.stream import Group

OUTPUTS = (Edge.WEST_OUT, Edge.NORTH_OUT)
BUFFER_BYTES = 1 << 16


def trespasses(config: OctopusConfig, task: Task) -> list[str]:
    """Bytes that a stream writes though they are of an array that it is not for.

    Every operand has a buffer of its own, by whose address its copies are known. A stream is for
    the arrays that the elements in its middle belong to; what it writes elsewhere must be nobody's.
    Outside the task's scratchpad is nobody's either, and refused.
    """
    names = [operand.name for operand in task.operands]
    buffers = {name: Buffer(i * BUFFER_BYTES) for i, name in enumerate(names)}
    words = task.descriptor(config, 0, buffers)
    header = unpack(DescriptorHeader, words[:DESCRIPTOR_HEADER_WORDS])
    place = DESCRIPTOR_HEADER_WORDS
    owner: dict[int, tuple[int, int]] = {}
    found: list[str] = []
    for number in range(header["input_count"] + header["output_count"]):
        entry = unpack(DmaEntry, words[place : place + DMA_ENTRY_WORDS])
        place += DMA_ENTRY_WORDS
        start = entry["scratchpad_address"]
        for row in range(entry["rows"]):
            first = start + row * entry["scratchpad_row_stride"]
            for byte in range(first, first + 4 * entry["row_words"]):
                before = owner.setdefault(byte, (start, number))
                if before[0] != start:
                    found.append(f"copies {before[1]} and {number} have byte {byte}")
    limit = 4 * config.task_block_unit.scratchpad_words
    limit //= 2 if header["half_scratchpad"] else 1
    for number in range(header["stream_count"]):
        group = Group.of(words[place : place + STREAM_GROUP_WORDS])
        place += STREAM_GROUP_WORDS
        if group.mode is StreamMode.COMPUTED:
            continue
        size = 4 if group.element is Element.WORD else 1
        shared = group.counts[0] if group.strides[0] >= 64 or group.counts[0] > 1 else 1
        touched = list(group.addresses(0))
        if any(address + size > limit for address in touched):
            found.append(f"stream {number} leaves the scratchpad")
        if group.edge in OUTPUTS:
            found += _strangers(number, group, touched, owner, shared)
    return found


def _strangers(
    number: int,
    group: Group,
    touched: list[int],
    owner: dict[int, tuple[int, int]],
    shared: int,
) -> list[str]:
    """Writes of a stream in arrays of which it does not write most."""
    ways = {1, shared}
    for turns in ways:
        found = []
        for turn in range(turns):
            own = [owner.get(address, (-1, -1))[0] for address in touched[turn::turns]]
            arrays = {array for array in own if array >= 0}
            if len(arrays) > 1:
                found.append(f"stream {number} writes in the arrays at {sorted(arrays)}")
        if not found:
            return []
    return found
