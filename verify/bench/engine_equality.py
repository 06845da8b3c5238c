"""Runs the same on two simulators of a chip and compares all that can be seen, to the cycle.

A scenario drives a chip through its ports as a host does, at moments that its seed chooses. What a
:class:`Witness` notes (every answer with the cycle in which it came, every change of activity,
every flit, all memories and counters at the end) must be equal on both.
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from octopus.hw.config import OctopusConfig
from octopus.hw.host.registers import REGISTERS
from octopus.hw.layouts.counters import COUNTERS
from octopus.hw.layouts.space import CONFIGURATION_BIT, WORD_BYTES, ConfigurationRegion, address_of
from octopus.sched.kernels.plan_program import lay_out
from octopus.sched.kernels.plan_program import run as run_plan
from octopus.sched.kernels.registry import find_kernel
from octopus.sched.lowering import lower
from octopus.sched.policies.placement import random_placement
from octopus.sched.runtime import RunError, Runtime
from octopus.sched.workflow.generate import RandomWorkflow, random_instances
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver

BURST = 1024
"""Words of memory that are read at a time."""

RUN_LIMIT = 200_000
WORKFLOW_SIZE = 12
INSTANCES = 5

Note = tuple[Any, ...]


class Witness:
    """A transport that passes everything on to a chip and notes each answer with its cycle.

    Parameters
    ----------
    meddling: now and then something else is accessed in between, as its random numbers say.
    """

    def __init__(self, chip: Chip, meddling: random.Random | None = None) -> None:
        self.chip = chip
        self.notes: list[Note] = []
        self._meddling = meddling
        self._readable = [r.offset for r in REGISTERS if r.name in UNHARMED]

    @property
    def cycles(self) -> int:
        """Of the chip."""
        return self.chip.cycles

    def write_register(self, address: int, value: int) -> None:
        """As of the chip."""
        self.chip.write_register(address, value)
        self._note("write", address, value)

    def read_register(self, address: int) -> int:
        """As of the chip."""
        return int(self._note("read", address, self.chip.read_register(address))[-1])

    def write_memory(self, address: int, words: Sequence[int]) -> None:
        """As of the chip."""
        self.chip.write_memory(address, words)
        self._note("write", address, tuple(words))

    def read_memory(self, address: int, count: int) -> list[int]:
        """As of the chip."""
        return list(self._note("read", address, tuple(self.chip.read_memory(address, count)))[-1])

    def wait_for_interrupt(self, limit_cycles: int) -> bool:
        """As of the chip, after some meddling."""
        if self._meddling is not None:
            self._meddle(self._meddling)
        raised = self.chip.wait_for_interrupt(limit_cycles)
        return bool(self._note("wait", limit_cycles, raised)[-1])

    def step(self, cycles: int) -> None:
        """As of the chip."""
        self.chip.step(cycles)
        self._note("step", cycles)

    def finish(self, config: OctopusConfig) -> list[Note]:
        """All notes, with the memories, counters and recordings at the end."""
        for y in range(config.mesh.rows):
            for x in range(config.mesh.columns):
                for first in range(0, config.cluster.memory_words, BURST):
                    count = min(BURST, config.cluster.memory_words - first)
                    self.read_memory(address_of(x, y, WORD_BYTES * first), count)
                base = 1 << CONFIGURATION_BIT | ConfigurationRegion.UNIT_COUNTERS
                for index in range(COUNTERS * config.cluster.task_block_units):
                    self.read_memory(address_of(x, y, base + WORD_BYTES * index), 1)
        self.recordings()
        return self.notes

    def recordings(self) -> None:
        """Note what the simulator itself recorded since the last reset."""
        self.notes += [("event", *event) for event in self.chip.recorded().tolist()]
        self._note("flits", tuple(map(tuple, self.chip.link_flits())))
        self._note("words", tuple(map(tuple, self.chip.words_moved().tolist())))

    def _meddle(self, generator: random.Random) -> None:
        """An access that a run does not need and is not harmed by."""
        choice = generator.random()
        if choice < 0.3:
            self.step(generator.randrange(1, 40))
        elif choice < 0.6:
            self.read_register(generator.choice(self._readable))
        elif choice < 0.8:
            self.read_memory(WORD_BYTES * generator.randrange(512), generator.randrange(1, 20))
        if choice < 0.2:
            self._note("until", self.chip.wait_for_event(generator.randrange(1, 200)).name)

    def _note(self, *what: Any) -> Note:
        note = (self.chip.cycles, *what)
        self.notes.append(note)
        return note


UNHARMED = frozenset({"identification", "version", "mesh", "cluster", "pea", "active_instances"})
"""Registers of which a read changes nothing."""

Scenario = Callable[[Chip, OctopusConfig, int], list[Note]]


def workflow(chip: Chip, config: OctopusConfig, seed: int) -> list[Note]:
    """A random workflow, placed at random, with other accesses at random moments."""
    witness = Witness(chip, random.Random(seed))
    _run(witness, config, seed, RUN_LIMIT)
    return witness.finish(config)


def reset_in_flight(chip: Chip, config: OctopusConfig, seed: int) -> list[Note]:
    """A random workflow; a reset in the middle of it; another one."""
    witness = Witness(chip)
    _run(witness, config, seed, random.Random(seed).randrange(500, 8_000), instances=20)
    witness.recordings()
    chip.reset()
    _run(witness, config, seed + 1, RUN_LIMIT)
    return witness.finish(config)


def aborts(chip: Chip, config: OctopusConfig, seed: int) -> list[Note]:
    """Instances that are aborted because they take too long, and a run after it."""
    witness = Witness(chip, random.Random(seed))
    _run(witness, config, seed, RUN_LIMIT, instance_limit=random.Random(seed).randrange(300, 3_000))
    _run(witness, config, seed, RUN_LIMIT)
    return witness.finish(config)


def nothing(chip: Chip, config: OctopusConfig, seed: int) -> list[Note]:
    """Idle cycles, and a register now and then."""
    witness = Witness(chip)
    generator = random.Random(seed)
    for _ in range(20):
        witness.step(generator.randrange(1, 3_000))
        witness.read_register(witness._readable[0])
    return witness.finish(config)


def resumed(chip: Chip, config: OctopusConfig, seed: int, path: Path) -> list[list[Note]]:
    """What happens after a moment in the middle of a workflow: as it goes on, and restored twice.

    Parameters
    ----------
    path: file for the state.
    """
    generator = random.Random(seed)
    flow = RandomWorkflow(seed, WORKFLOW_SIZE).build()
    program = lower(flow, random_placement(flow, config, seed), config)
    runtime = Runtime(ChipDriver(chip), program)
    runtime.load()
    for slot, instance in enumerate(random_instances(flow, min(3, program.slots), seed)):
        tensors = {name: flow.tensors[name].operand for name in instance.tensors}
        words = [(name, tensors[name].to_words(array)) for name, array in instance.tensors.items()]
        runtime.start_instance(slot, instance.value, words)
    chip.step(generator.randrange(1, 600))
    chip.save(path)
    futures = []
    for _ in range(3):
        witness = Witness(chip)
        witness.step(3_000)
        futures.append(witness.finish(config))
        chip.restore(path)
    return futures


def kernel(name: str) -> Scenario:
    """A public kernel on random inputs."""

    def scenario(chip: Chip, config: OctopusConfig, seed: int) -> list[Note]:
        computation = find_kernel(name).build_from_text({})
        witness = Witness(chip)
        run_plan(ChipDriver(witness), lay_out(computation, config), computation.random_inputs(seed))
        return witness.finish(config)

    return scenario


def first_difference(left: Sequence[Note], right: Sequence[Note]) -> str | None:
    """The first note that differs, in words; None if all are equal."""
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return f"note {number}: {_short(one)} and {_short(other)}"
    if len(left) != len(right):
        return f"{len(left)} and {len(right)} notes"
    return None


def _short(note: Note) -> str:
    text = repr(note)
    return text if len(text) < 200 else f"{text[:200]}…"


def _run(
    witness: Witness,
    config: OctopusConfig,
    seed: int,
    limit: int,
    instances: int = INSTANCES,
    instance_limit: int | None = None,
) -> None:
    """A random workflow from loading to its end, or to its error, which is noted."""
    flow = RandomWorkflow(seed, WORKFLOW_SIZE).build()
    program = lower(flow, random_placement(flow, config, seed), config)
    given = random_instances(flow, instances, seed)
    runtime = Runtime(ChipDriver(witness), program)
    runtime.load()
    try:
        report = runtime.run(
            given, limit_cycles=limit, instance_limit_cycles=instance_limit, strict=False
        )
    except RunError as error:
        witness._note("error", str(error))
        return
    outcomes = [(o.started, o.finished, str(o.fault)) for o in report.outcomes]
    witness._note("outcomes", tuple(outcomes))
