"""Turns a finished mapping into instructions, and those into a kernel image."""

from dataclasses import dataclass, field

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import (
    SIMPLE_OPERATIONS,
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)

from ..kernels.assembler import Assembler, Instruction
from .errors import CompileError
from .fabric import REGISTER, Copy, Entry, Hold, Net, Place, Turn, Wire, colour
from .graph import Constant, Node, Role, Use
from .latency import latency, longest_latency
from .mapping import PREDICATE, Mapping
from .validity import Validity

LINKS = (OperandSource.NORTH, OperandSource.EAST, OperandSource.SOUTH, OperandSource.WEST)
SIDES = ("north", "east", "south", "west")
OUTPUTS = {
    "result": OutputSelect.RESULT,
    "straight": OutputSelect.STRAIGHT,
    "route": OutputSelect.ROUTE,
}


@dataclass
class Program:
    """The instructions of a mapping.

    Attributes
    ----------
    instructions: fields of ``Instruction`` by (row, column, time modulo the interval).
    initial: values that registers have before the first iteration, by PE and register.
    stages: software-pipeline stages that the sequencer tells apart. early: trips beyond the real
    ones. exit_stage, flush: as in the kernel header. head_latency: of what writes initial values.
    """

    instructions: dict[tuple[int, int, int], dict[str, object]] = field(default_factory=dict)
    initial: dict[Place, dict[int, int]] = field(default_factory=dict)
    stages: int = 1
    early: int = 0
    exit_stage: int = 0
    flush: int = 0
    head_latency: int = 1

    @property
    def head_length(self) -> int:
        """Slots before the body that write initial values."""
        most = max((len(values) for values in self.initial.values()), default=0)
        return most + self.head_latency - 1 if most else 0


class Emitter:
    """Writes the instructions of one mapping.

    Raises:
        CompileError: the head does not fit the array's slots.
    """

    def __init__(self, mapping: Mapping, pea: PeaConfig) -> None:
        self.mapping, self.pea = mapping, pea
        self.fabric = mapping.fabric
        self.program = Program()
        self._numbers: dict[Place, dict[object, int]] = {}
        for place, held in self.fabric.registers.items():
            numbers = colour(held, mapping.interval, pea.registers)
            assert numbers is not None
            self._numbers[place] = numbers
        for node in mapping.graph.nodes.values():
            if node.role is Role.COMPUTE:
                self._operation(node)
        for net, tree in mapping.trees.items():
            for step in tree.sinks:
                self._step(net, step)
        self._initial()
        self._header()
        slots = self.program.head_length + mapping.interval
        if slots > pea.context_slots:
            raise CompileError(
                f"kernel {mapping.graph.name}: initial values and body need {slots} context "
                f"slots; the array has {pea.context_slots}"
            )

    def _at(self, place: Place, time: int) -> dict[str, object]:
        key = (*place, time % self.mapping.interval)
        return self.program.instructions.setdefault(key, {})

    def _put(self, place: Place, time: int, gated: bool, **fields: object) -> None:
        """Add fields to an instruction; none may be there with another value."""
        there = self._at(place, time)
        if gated:
            fields["stage"] = self.fabric.stage_at(place, time)
        for name, value in fields.items():
            assert there.setdefault(name, value) == value, (place, time, name, there, fields)

    def _computation(self, operation: Operation) -> dict[str, object]:
        """An operation that delivers as soon as it can."""
        early = self.pea.has_early and operation in SIMPLE_OPERATIONS
        return {"operation": operation, "early": early}

    def _register(self, net: Net, place: Place, hold: int) -> int:
        value, _, _ = self.mapping.register_of(net, Hold(place, hold))
        return self._numbers[place][value]

    def _operation(self, node: Node) -> None:
        place, time = self.mapping.places[node.name]
        fields = self._computation(node.operation) | {"exit": node.exit}
        sources: list[tuple[OperandSource, int]] = []
        for number, operand in enumerate(node.operands):
            if isinstance(operand, Constant):
                sources.append((OperandSource.CONSTANT, 0))
                if operand.value == 0:
                    sources[-1] = (OperandSource.ZERO, 0)
                else:
                    fields["constant"] = operand.value
                continue
            delivery = self.mapping.deliveries[node.name, number]
            if delivery.source == REGISTER:
                register = self._register(delivery.net, place, delivery.hold)
                sources.append((OperandSource.REGISTER, register))
            else:
                sources.append((LINKS[delivery.source], 0))
        if len(sources) == 2 and sources[1][0] is OperandSource.REGISTER:
            key = (time % self.mapping.interval, *place)
            if not self.fabric.second_register[key]:
                sources.reverse()
        for letter, (source, register) in zip("ab", sources, strict=False):
            fields[letter] = source
            if source is OperandSource.REGISTER:
                fields[f"{letter}_register"] = register
        numbers = self._numbers.get(place, {})
        if ("value", node.name) in numbers:
            fields["destination"] = numbers["value", node.name]
        fields["write_predicate"] = any(
            sink[1] == PREDICATE for sink, _ in self.mapping.users[node.name]
        )
        if node.operation is not Operation.SELECT:
            fields["predicate"] = node.when
        self._put(place, time, True, **fields)

    def _step(self, net: Net, step: object) -> None:
        if isinstance(step, Wire):
            side = SIDES[step.direction]
            self._put(step.place, step.slot_time, False, **{side: OUTPUTS[step.how]})
        elif isinstance(step, Turn):
            if step.source == REGISTER:
                register = self._register(net, step.place, step.hold)
                self._put(
                    step.place, step.time, True, route=OperandSource.REGISTER, b_register=register
                )
            else:
                self._put(step.place, step.time, False, route=LINKS[step.source])
        elif isinstance(step, Entry):
            self._put(self.fabric.port_place(step.port), step.time, True)
        elif isinstance(step, Copy):
            fields = self._computation(Operation.PASS)
            if step.source == REGISTER:
                fields["a"] = OperandSource.REGISTER
                fields["a_register"] = self._register(net, step.place, step.hold)
            else:
                fields["a"] = LINKS[step.source]
            held = ("copy", net, step.time + self.fabric.copy_latency)
            if held in self._numbers.get(step.place, {}):
                fields["destination"] = self._numbers[step.place][held]
            self._put(step.place, step.time, True, **fields)

    def _initial(self) -> None:
        graph = self.mapping.graph
        self.program.head_latency = latency(self.pea, Operation.PASS)
        if graph.outer:
            # What the round before made last must not come after the initial value of the next.
            made = [self.mapping.latency(node.name) for node in graph.of_role(Role.COMPUTE)]
            self.program.head_latency = max(made, default=self.program.head_latency)
        for users in self.mapping.users.values():
            for _, use in users:
                if use.distance and (use.initial or graph.outer):
                    place, _ = self.mapping.places[use.producer]
                    number = self._numbers[place]["value", use.producer]
                    self.program.initial.setdefault(place, {})[number] = use.initial

    def _header(self) -> None:
        mapping, program, interval = self.mapping, self.program, self.mapping.interval
        stages = [int(str(f["stage"])) for f in program.instructions.values() if "stage" in f]
        program.stages = max(stages, default=0) + 1
        program.early = Validity(mapping).early
        longest = longest_latency(self.pea)
        last = max((time for _, time in mapping.ports.values()), default=0)
        if mapping.graph.outer:
            # The head of the next round forwards nothing: words must have left before it.
            program.stages = max(program.stages, last // interval + 1)
        program.flush = max(longest, last + 1 - (program.early + program.stages) * interval)
        for node in mapping.graph.exits:
            _, time = mapping.places[node.name]
            seen = time + mapping.latency(node.name) + 1
            program.exit_stage = max(program.exit_stage, seen // interval)


def assemble(program: Program, pea: PeaConfig, interval: int, name: str, number: int) -> list[int]:
    """The words of a program's kernel image, as entry ``number`` of a kernel table.

    Raises:
        TaskError: the array lacks slots, stages or operations.
    """
    head = program.head_length
    early = pea.has_early and program.head_latency == latency(pea, Operation.PASS)
    assembler = Assembler(
        pea,
        name,
        head=head,
        body=interval,
        stages=program.stages,
        exit_stage=program.exit_stage,
        flush=program.flush,
    )
    for (row, column), values in program.initial.items():
        for slot, (register, value) in enumerate(sorted(values.items())):
            write = Instruction(
                Operation.PASS,
                OperandSource.CONSTANT,
                constant=value,
                destination=register,
                early=early,
            )
            assembler.place(row, column, slot, write)
    for (row, column, slot), fields in program.instructions.items():
        instruction = Instruction(**fields)  # type: ignore[arg-type]
        assembler.place(row, column, head + slot, instruction)
    return assembler.image(number)


__all__ = ["Emitter", "PredicateMode", "Program", "Use", "assemble"]
