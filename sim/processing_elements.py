"""How often each processing element carried out an instruction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octopus.hw.layouts.descriptor import DescriptorHeader
from octopus.hw.layouts.instruction import INSTRUCTION_WORDS, Control, Operation
from octopus.hw.layouts.kernel import HEADER_WORDS, KernelHeader
from octopus.hw.layouts.space import WORD_BYTES, address_of
from octopus.hw.layouts.words import unpack
from octopus.sched.program import Program
from octopus.sched.workflow.graph import required

from .profile import ADVANCE, Profile
from .recording import field_of


@dataclass(frozen=True)
class KernelWork:
    """Instructions of a kernel that compute (not NOP), by PE: (rows, columns).

    ``once``: in head and tail, of an outer round. ``repeated``: in the body, of an iteration.
    """

    once: NDArray[np.int64]
    repeated: NDArray[np.int64]
    header: dict[str, int]


def _region(program: Program, cluster: tuple[int, int], label: str) -> list[int]:
    """The words of a region of the program's image."""
    region = next(item for item in program.regions[cluster] if item.label == label)
    base = address_of(*cluster, 0)
    image = next(words for address, words in program.writes if address == base)
    return image[region.offset // WORD_BYTES :][: region.words]


def kernel_work(program: Program, name: str) -> KernelWork:
    """What the kernel of a block gives the PEs to do, read from its image."""
    kernel = required(program.workflow.block(name)).kernel
    words = _region(program, program.placement[name].cluster, f"image {kernel.name}")
    header = unpack(KernelHeader, words)
    shape = (header["rows"], header["columns"])
    content = np.array(words[HEADER_WORDS:], np.uint32)
    slots = header["head_length"] + header["body_length"] + header["tail_length"]
    control = content.reshape(*shape, slots, INSTRUCTION_WORDS)[..., 0]
    works = field_of(Control, "operation", control) != Operation.NOP.value
    body = slice(header["head_length"], header["head_length"] + header["body_length"])
    repeated = works[..., body].sum(axis=-1)
    return KernelWork(works.sum(axis=-1) - repeated, repeated, header)


def issued(profile: Profile) -> NDArray[np.int64]:
    """(units, rows, columns): instructions that compute, issued in the run by each PE.

    How often a body ran follows from the cycles in which the array advanced, so that trips given
    by tokens and early exits are as they were. Predicated instructions count whether they had
    effect or not.
    """
    config, tasks = profile.recording.config, profile.tasks
    counts = np.zeros((config.task_block_units, config.pea.rows, config.pea.columns), np.int64)
    for name in profile.blocks:
        mine = profile.task_mask(name) & tasks.completed
        if not mine.any():
            continue
        cluster = profile.program.placement[name].cluster
        descriptor = unpack(
            DescriptorHeader, _region(profile.program, cluster, f"descriptor {name}")
        )
        work = kernel_work(profile.program, name)
        outer, header = descriptor["outer_trips"], work.header
        fixed = outer * (header["head_length"] + header["tail_length"]) + header["flush"]
        advanced = tasks.causes[mine, ADVANCE]
        passes = np.maximum(advanced - fixed, 0) // max(1, header["body_length"])
        trips = np.maximum(passes - outer * (header["stages"] - 1), 0)
        for unit in np.unique(tasks.unit[mine]):
            here = tasks.unit[mine] == unit
            rounds = outer * int(here.sum())
            counts[unit] += rounds * work.once + int(trips[here].sum()) * work.repeated
    return counts
