"""Constrained-random kernels, runs and streams for the array's bench, replayable from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import (
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
    RequantiseParameters,
)
from octopus.hw.layouts.words import pack
from octopus.sched.kernels.assembler import Assembler, Instruction

from .pea_coverage import Point, points_at

INTERESTING = (0, 1, 2, 31, 32, 127, 128, 255, 0x7FFFFFFF, 0x80000000, 0x80808080, 0xFFFFFFFF)
SOURCES = tuple(OperandSource)
OPERATIONS = tuple(Operation)
PREDICATES = tuple(PredicateMode)


def word(random: Random) -> int:
    """A 32-bit pattern, often a boundary value or a small number."""
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(INTERESTING)
    if kind == 1:
        return random.randrange(-20, 21) & 0xFFFFFFFF
    return random.getrandbits(32)


def requantise_word(random: Random) -> int:
    """A constant that makes a sensible operand ``b`` of REQUANTISE."""
    fields = {
        "multiplier": random.getrandbits(16),
        "shift": random.choice((0, 1, random.randrange(48), 63)),
        "relu": random.getrandbits(1),
        "zero_point": random.randrange(-128, 128),
    }
    return pack(RequantiseParameters, fields)[0]


def random_instruction(random: Random, pea: PeaConfig, stages: int) -> Instruction:
    """An instruction in which every field takes every value that has a meaning."""
    operation = random.choice(OPERATIONS)
    requantises = operation is Operation.REQUANTISE and random.random() < 0.7
    outputs = [random.choices(tuple(OutputSelect), weights=(1, 4, 2, 2))[0] for _ in range(4)]
    return Instruction(
        operation=operation,
        a=random.choice(SOURCES),
        b=OperandSource.CONSTANT if requantises else random.choice(SOURCES),
        a_register=random.randrange(pea.registers),
        b_register=random.randrange(pea.registers),
        constant=requantise_word(random) if requantises else word(random),
        destination=random.randrange(pea.registers) if random.random() < 0.5 else None,
        write_predicate=random.random() < 0.3,
        predicate=random.choice(PREDICATES),
        exit=random.random() < 0.01,
        north=outputs[0],
        east=outputs[1],
        south=outputs[2],
        west=outputs[3],
        route=random.choice(SOURCES),
        stage=random.randrange(stages),
        early=random.random() < 0.5,
    )


def aimed(random: Random, instruction: Instruction, wanted: Sequence[Point]) -> Instruction:
    """The instruction, changed so that it may meet one of the wanted coverage points.

    The other operand is always valid, and so is what it routes to its neighbours.
    """
    _, operand, operation, source, predicate, _ = random.choice(wanted)
    valid = (OperandSource.REGISTER, OperandSource.CONSTANT, OperandSource.ZERO)
    other = random.choice(valid)
    sources = {"a": source, "b": other} if operand == "a" else {"a": other, "b": source}
    changes: dict[str, Any] = {"operation": operation, "predicate": predicate, **sources}
    for direction in ("north", "east", "south", "west"):
        if random.random() < 0.5:
            changes |= {direction: OutputSelect.ROUTE, "route": random.choice(valid)}
    return replace(instruction, **changes)


def random_image(random: Random, pea: PeaConfig, wanted: Sequence[Point] = ()) -> list[int]:
    """A kernel image with random lengths and an instruction for every PE and slot.

    ``wanted``: coverage points that part of the instructions aim at.
    """
    stages = random.randint(1, pea.stages)
    head, tail = random.randrange(4), random.randrange(4)
    body = random.randint(0 if head + tail and random.random() < 0.1 else 1, 5)
    # An array without an operation or feature must take an instruction for another one.
    assembler = Assembler(
        pea.model_copy(update={"operations": "all", "features": "full"}),
        "random",
        head=head,
        body=body,
        tail=tail,
        stages=stages,
        exit_stage=random.randint(0, stages),
        skew=random.random() < 0.5,
        flush=random.randrange(12),
    )
    for row in range(pea.rows):
        for column in range(pea.columns):
            holds = random.random() < 0.5
            possible = points_at(pea, row, column)
            aims = [point for point in wanted if point in possible]
            for slot in range(assembler.slots):
                instruction = random_instruction(random, pea, stages)
                if aims and random.random() < 0.7:
                    instruction = aimed(random, instruction, aims)
                if holds:
                    instruction = _holding(random, instruction, first=slot == 0)
                assembler.place(row, column, slot, instruction)
    return assembler.image(0)


def _holding(random: Random, instruction: Instruction, first: bool) -> Instruction:
    """The instruction on a PE whose predicate is set by its first slot and then stays."""
    if not first:
        return replace(instruction, write_predicate=False)
    return replace(
        instruction,
        operation=Operation.PASS,
        a=OperandSource.CONSTANT,
        constant=random.getrandbits(32) | 1,
        predicate=PredicateMode.ALWAYS,
        write_predicate=True,
        exit=False,
        stage=0,
    )


@dataclass
class EdgeInput:
    """The stream of one input port: words left, and how often it is ready.

    ``patience``: probability that the port is ready in a clock. ``ready``: it was said to be in
    the present one: the next word is there, or known not to come.
    """

    words: list[int]
    patience: float
    ready: bool = False

    @property
    def exhausted(self) -> bool:
        """No word will come any more."""
        return not self.words

    def take(self) -> int:
        """Consume the word that is there."""
        assert self.ready
        return self.words.pop(0)


@dataclass
class Run:
    """One run: trip counts, the input streams and how often each output port has room."""

    body_trips: int
    outer_trips: int
    west: list[EdgeInput]
    north: list[EdgeInput]
    west_room: list[float]
    north_room: list[float]


def random_run(random: Random, pea: PeaConfig) -> Run:
    """Trip counts and edge behaviour, from never stalling to nearly always."""

    def inputs(ports: int) -> list[EdgeInput]:
        streams = []
        for _ in range(ports):
            length = random.choice((0, random.randrange(20), 1000))
            words = [word(random) for _ in range(length)]
            streams.append(EdgeInput(words, random.choice((1.0, 0.9, 0.6))))
        return streams

    def rooms(ports: int) -> list[float]:
        return [random.choice((1.0, 1.0, 0.8)) for _ in range(ports)]

    return Run(
        body_trips=random.choice((0, 1, random.randrange(12), random.randrange(40))),
        outer_trips=random.choice((0, 1, 1, 2, 3)),
        west=inputs(pea.rows),
        north=inputs(pea.columns),
        west_room=rooms(pea.rows),
        north_room=rooms(pea.columns),
    )
