"""Golden model of the sequencer: the tokens of a run (specification, section Sequencer)."""

from collections.abc import Generator
from dataclasses import dataclass

from octopus.hw.layouts.kernel import KernelHeader
from octopus.hw.layouts.words import unpack


@dataclass(frozen=True, slots=True)
class SequencerToken:
    """What the sequencer gives the array in one cycle; ``active`` has one bit a stage."""

    bank: int
    slot: int
    active: int
    clear: bool


IDLE = SequencerToken(bank=0, slot=0, active=0, clear=False)
"""What the token pipeline of a skewed array holds after reset."""


@dataclass(frozen=True)
class Header:
    """The decoded header of a kernel image; field meanings as ``KernelHeader``."""

    magic: int
    rows: int
    columns: int
    head_length: int
    body_length: int
    tail_length: int
    stages: int
    exit_stage: int
    skew: int
    flush: int
    kernel: int
    image_words: int

    @classmethod
    def of(cls, words: list[int]) -> "Header":
        """The header at the start of an image's words."""
        return cls(**unpack(KernelHeader, words))

    @property
    def slots(self) -> int:
        """Slots of head, body and tail together."""
        return self.head_length + self.body_length + self.tail_length


def tokens(
    header: Header, body_trips: int, outer_trips: int, stages: int, bank: int = 0
) -> Generator[SequencerToken, bool, None]:
    """The tokens of a run, one a cycle in which the array advances.

    ``send`` the exit bit that is visible in the cycle of the token just received (the first
    token comes from ``next``). ``stages`` is the array's number of stages.
    """
    everything = (1 << stages) - 1
    kernel_stages = (1 << header.stages) - 1
    below_exit_stage = (1 << header.exit_stage) - 1
    body_start = header.head_length
    tail_start = body_start + header.body_length
    clear = True
    for _ in range(outer_trips):
        exited = False
        for slot in range(header.head_length):
            exited |= yield SequencerToken(bank, slot, everything, clear)
            clear = False
        active = 0
        trips = 0
        while header.body_length:
            active = (active << 1 | (trips < body_trips and not exited)) & kernel_stages
            if exited:
                active &= ~below_exit_stage
            if active == 0:
                break
            for slot in range(body_start, tail_start):
                if exited:
                    active &= ~below_exit_stage
                exited |= yield SequencerToken(bank, slot, active, clear)
                clear = False
            trips += 1
        for slot in range(tail_start, header.slots):
            yield SequencerToken(bank, slot, everything, clear)
            clear = False
    for cycle in range(header.flush):
        slot = body_start + cycle % header.body_length if header.body_length else 0
        yield SequencerToken(bank, slot, 0, clear)
        clear = False
