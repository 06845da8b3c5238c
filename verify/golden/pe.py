"""Golden model of one processing element, a step a cycle (specification, section PE)."""

from collections import deque
from collections.abc import Sequence

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import (
    SIMPLE_OPERATIONS,
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)
from octopus.hw.layouts.words import WORD_MASK

from .arithmetic import COMPUTE, dot4, requantise
from .instruction import LINKS, OPPOSITE, DecodedInstruction

Link = int | None
"""The value on a link: a 32-bit pattern, or None if it is not valid."""


Flying = tuple[DecodedInstruction, int] | None
"""A valid result in a pipeline with its instruction, or None."""


class ProcessingElement:
    """Registers, predicate, accumulator, results in flight and output links of a PE.

    Attributes
    ----------
    outputs: the four output links (north, east, south, west) as they are in the coming cycle.
    exit: whether ``exit`` is visible to the sequencer in the coming cycle.
    executed: the instruction of the cycle just ended if it acted on valid operands.
    landed: the instructions whose valid results landed at its end, the older first.
    """

    def __init__(self, pea: PeaConfig) -> None:
        self._latency = pea.pipeline_stages
        self._early_latency = min(pea.simple_latency, pea.pipeline_stages)
        self._register_count = pea.registers
        self.outputs: list[Link] = [None] * 4
        self.exit = False
        self.executed: DecodedInstruction | None = None
        self.landed: list[DecodedInstruction] = []
        self._flight: deque[Flying] = deque()
        self._early_flight: deque[Flying] = deque()
        self._clear()

    def _clear(self) -> None:
        self.registers = [0] * self._register_count
        self.predicate = False
        self.accumulator = 0
        self.accumulator_valid = False
        self._flight = deque([None] * (self._latency - 1))
        self._early_flight = deque([None] * (self._early_latency - 1))

    def step(
        self, instruction: DecodedInstruction, active: int, clear: bool, inputs: Sequence[Link]
    ) -> None:
        """One cycle.

        Parameters
        ----------
        active, clear: of the token. inputs: the links that enter from north, east, south, west.
        """
        if clear:
            self._clear()
        acts = bool(active >> instruction.stage & 1) and self._agrees(instruction.predicate)
        self.executed = None
        result = self._result(instruction, inputs) if acts else None
        links = [self._forwarded(instruction, d, acts, inputs) for d in range(4)]
        started = None if result is None else (instruction, result)
        early = instruction.early and instruction.operation in SIMPLE_OPERATIONS
        self._flight.append(None if early else started)
        self._early_flight.append(started if early else None)
        # Where both want the same, the early one, which is the younger, comes last and has it.
        landings = [self._flight.popleft(), self._early_flight.popleft()]
        self._land([landing for landing in landings if landing is not None], links)
        self.outputs = links

    def _agrees(self, mode: PredicateMode) -> bool:
        if mode is PredicateMode.ALWAYS:
            return True
        return self.predicate == (mode is PredicateMode.IF_TRUE)

    def _operand(
        self, source: OperandSource, register: int, constant: int, inputs: Sequence[Link]
    ) -> Link:
        if source is OperandSource.ZERO:
            return 0
        if source is OperandSource.REGISTER:
            return self.registers[register]
        if source is OperandSource.CONSTANT:
            return constant
        return inputs[LINKS[source]]

    def _result(self, instruction: DecodedInstruction, inputs: Sequence[Link]) -> Link:
        """The valid result of an instruction that acts, or None; updates the accumulator."""
        operation = instruction.operation
        if operation is Operation.NOP:
            self.executed = instruction
            return None
        constant = instruction.constant
        a = self._operand(instruction.a, instruction.a_register, constant, inputs)
        b: Link = 0
        if instruction.uses_b:
            b = self._operand(instruction.b, instruction.b_register, constant, inputs)
        if a is None or b is None:
            return None
        self.executed = instruction
        if operation is Operation.SELECT:
            return a if self.predicate else b
        if operation is Operation.DOT4:
            self.accumulator = (self.accumulator + dot4(a, b)) & WORD_MASK
            self.accumulator_valid = True
            return self.accumulator
        if operation in (Operation.READ_ACCUMULATOR, Operation.REQUANTISE):
            return self._drain(operation, a, b)
        return COMPUTE[operation](a, b) & WORD_MASK

    def _drain(self, operation: Operation, a: int, b: int) -> Link:
        valid, accumulated = self.accumulator_valid, (self.accumulator + a) & WORD_MASK
        self.accumulator, self.accumulator_valid = 0, False
        if not valid:
            return None
        return requantise(accumulated, b) if operation is Operation.REQUANTISE else accumulated

    def _forwarded(
        self, instruction: DecodedInstruction, direction: int, acts: bool, inputs: Sequence[Link]
    ) -> Link:
        """What STRAIGHT or ROUTE puts on an output link at the end of this cycle."""
        select = instruction.outputs[direction]
        if select is OutputSelect.STRAIGHT:
            return inputs[OPPOSITE[direction]]
        if select is not OutputSelect.ROUTE:
            return None
        if instruction.route not in LINKS and not acts:
            return None
        return self._operand(
            instruction.route, instruction.b_register, instruction.constant, inputs
        )

    def _land(self, landings: list[tuple[DecodedInstruction, int]], links: list[Link]) -> None:
        """The effects of the valid results that leave the pipelines at the end of this cycle."""
        self.landed = [instruction for instruction, _ in landings]
        written: tuple[int, int] | None = None
        self.exit = False
        for instruction, result in landings:
            if instruction.write_register:
                written = instruction.destination_register, result
            if instruction.write_predicate:
                self.predicate = result != 0
            self.exit |= instruction.exit and result != 0
            for direction, select in enumerate(instruction.outputs):
                if select is OutputSelect.RESULT:
                    links[direction] = result
        if written is not None:
            register, result = written
            self.registers[register] = result
