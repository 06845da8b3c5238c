"""Plain Python for what the specification's sections 2 to 4 say; nothing here knows the RTL."""

from dataclasses import dataclass, field

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import (
    Instruction,
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
)

MASK = 0xFFFFFFFF
SIDES = ("north", "east", "south", "west")
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
LINKS = {OperandSource[side.upper()]: side for side in SIDES}
UNARY = {Operation[name] for name in ("PASS", "ABS", "RELU", "CLAMP8", "READ_ACCUMULATOR")}
AI_NAMES = "PASS ADD MAX MIN RELU CLAMP8 DOT4 READ_ACCUMULATOR REQUANTISE"
AI = {Operation[name] for name in AI_NAMES.split(" ")}
ACCUMULATES = {Operation[name] for name in ("DOT4", "READ_ACCUMULATOR", "REQUANTISE")}
MULTIPLIES = {Operation[name] for name in ("MUL", "MULH", "SHL", "SHR", "SAR", "CLAMP8")}
AVAILABLE = {
    "all": set(Operation),
    "ai": AI,
    "mac": AI - {Operation.MIN, Operation.MAX},
    "general": set(Operation) - ACCUMULATES,
    "alu": set(Operation) - ACCUMULATES - MULTIPLIES,
    "add+mul": {Operation.ADD, Operation.MUL},
}
"""What the specification's named sets hold, and one without a name."""


def signed(value: int, bits: int = 32) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def instruction(operation: Operation = Operation.NOP, **fields: object) -> dict[str, object]:
    """The fields of an instruction; sources, outputs and modes by name, the rest by number."""
    result: dict[str, object] = {
        "operation": operation,
        "a": OperandSource.ZERO,
        "b": OperandSource.ZERO,
        "route": OperandSource.ZERO,
        "predicate": PredicateMode.ALWAYS,
        "constant": 0,
    }
    result |= dict.fromkeys(SIDES, OutputSelect.NONE)
    names = (
        "a_register b_register write_register destination_register write_predicate exit stage early"
    )
    result |= dict.fromkeys(names.split(), 0)
    for name, value in fields.items():
        if name not in result:
            raise ValueError(f"no field {name}")
        kind = type(result[name])
        result[name] = kind[value] if isinstance(value, str) else value
    return result


def instruction_bits(fields: dict[str, object]) -> int:
    control = {name: value for name, value in fields.items() if name != "constant"}
    const = Instruction.const({"control": control, "constant": int(fields["constant"]) & MASK})
    return const.as_value().value


def requantise(x: int, parameters: int) -> int:
    multiplier, shift = parameters & 0xFFFF, parameters >> 16 & 63
    relu, zero_point = parameters >> 22 & 1, signed(parameters >> 24, 8)
    y = (signed(x) * multiplier + ((1 << (shift - 1)) if shift else 0)) >> shift
    return min(max(y + zero_point, zero_point if relu else -128), 127)


def binary(operation: Operation, a: int, b: int) -> int:
    """The result of an operation on 32-bit words that needs neither predicate nor accumulator."""
    x, y, shift = signed(a), signed(b), b & 31
    table = {
        "PASS": lambda: x,
        "ADD": lambda: x + y,
        "SUB": lambda: x - y,
        "MUL": lambda: x * y,
        "MULH": lambda: (x * y) >> 32,
        "SHL": lambda: x << shift,
        "SHR": lambda: (a & MASK) >> shift,
        "SAR": lambda: x >> shift,
        "AND": lambda: a & b,
        "OR": lambda: a | b,
        "XOR": lambda: a ^ b,
        "MIN": lambda: min(x, y),
        "MAX": lambda: max(x, y),
        "EQ": lambda: int(x == y),
        "NE": lambda: int(x != y),
        "LT": lambda: int(x < y),
        "GE": lambda: int(x >= y),
        "LTU": lambda: int(a & MASK < b & MASK),
        "GEU": lambda: int(a & MASK >= b & MASK),
        "ABS": lambda: abs(x),
        "RELU": lambda: max(x, 0),
        "CLAMP8": lambda: min(max(x, -128), 127),
    }
    return table[operation.name]() & MASK


def dot4(a: int, b: int) -> int:
    return sum(signed(a >> 8 * i, 8) * signed(b >> 8 * i, 8) for i in range(4))


Link = tuple[int, int]  # data, valid


def set_at(pattern, place: tuple[int, int]) -> str:
    """The set that a pattern of sets gives a PE."""
    if isinstance(pattern, str):
        return pattern
    line = pattern[place[0] % len(pattern)]
    return line[place[1] % len(line)]


@dataclass
class Element:
    """One PE's state. ``pipeline`` holds what takes effect later: (due cycle, effect)."""

    pea: PeaConfig
    place: tuple[int, int] = (0, 0)
    registers: dict[int, int] = field(default_factory=dict)
    predicate: int = 0
    accumulator: int = 0
    accumulator_valid: int = 0
    pipeline: list[tuple[int, dict, int, int]] = field(default_factory=list)
    links: dict[str, Link] = field(default_factory=lambda: dict.fromkeys(SIDES, (0, 0)))

    def built(self, code: dict) -> dict:
        """The instruction without what a systolic PE does not have."""
        if set_at(self.pea.features, self.place) == "full":
            return code
        kept = {
            "a": {OperandSource.NORTH},
            "b": {OperandSource.WEST, OperandSource.CONSTANT},
            "route": set(),
            "north": {OutputSelect.RESULT, OutputSelect.STRAIGHT},
            "east": {OutputSelect.STRAIGHT},
            "south": {OutputSelect.STRAIGHT},
            "west": set(),
        }
        code = {name: type(v)(0) if v not in kept.get(name, {v}) else v for name, v in code.items()}
        return code | {"predicate": PredicateMode.ALWAYS, "write_predicate": 0, "exit": 0}

    def demands(self, code: dict, active: int, side: str) -> bool:
        if not active >> code["stage"] & 1:
            return False
        source = OperandSource[side.upper()]
        outputs = [code[name] for name in SIDES]
        return (
            (self._uses(code, "a") and code["a"] == source)
            or (self._uses(code, "b") and code["b"] == source)
            or (code["route"] == source and OutputSelect.ROUTE in outputs)
            or code[OPPOSITE[side]] == OutputSelect.STRAIGHT
        )

    @property
    def available(self) -> set[Operation]:
        return AVAILABLE[set_at(self.pea.operations, self.place)]

    def _uses(self, code: dict, operand: str) -> bool:
        operation = code["operation"]
        if operation == Operation.NOP or operation not in self.available:
            return False
        return operand == "a" or operation not in UNARY

    def step(
        self, cycle: int, code: dict, active: int, clear: int, inputs: dict[str, Link]
    ) -> tuple[dict[str, Link], int]:
        """One cycle: (the links of the next cycle, exit in the next cycle)."""
        if clear:
            self.registers, self.pipeline = {}, []
            self.predicate = self.accumulator = self.accumulator_valid = 0
        enabled = active >> code["stage"] & 1
        modes = {PredicateMode.IF_TRUE: self.predicate, PredicateMode.IF_FALSE: 1 - self.predicate}
        acts = enabled and modes.get(code["predicate"], 1)
        result, valid = self._result(code, inputs)
        valid = int(valid and acts)
        if valid:
            valid = self._accumulate(code, inputs)
            result = self._accumulated if self._accumulated is not None else result
        due = cycle + self._latency(code) - 1
        self.pipeline.append((due, code, result & MASK, valid))
        links, leave = {}, 0
        for side in SIDES:
            if code[side] == OutputSelect.STRAIGHT:
                links[side] = inputs[OPPOSITE[side]]
            elif code[side] == OutputSelect.ROUTE:
                data, ok = self._operand(code, "route", inputs)
                links[side] = (data, int(ok and (code["route"] in LINKS or acts)))
            else:
                links[side] = (0, 0)
        due = [item for item in self.pipeline if item[0] == cycle]
        self.pipeline = [item for item in self.pipeline if item[0] != cycle]
        written: dict[int, int] = {}  # one register a cycle
        for _, effect, value, ok in due:  # oldest first: the younger result, which is early, wins
            if not ok:
                continue
            links |= {s: (value, 1) for s in SIDES if effect[s] == OutputSelect.RESULT}
            leave |= int(effect["exit"] and value != 0)
            if effect["write_register"]:
                written = {effect["destination_register"] % self.pea.registers: value}
            if effect["write_predicate"]:
                self.predicate = int(value != 0)
        self.registers |= written
        self.links = links
        return links, leave

    def _latency(self, code: dict) -> int:
        simple = code["operation"] not in ACCUMULATES | {Operation.MUL, Operation.MULH}
        short = code["early"] and simple
        return min(self.pea.simple_latency if short else 99, self.pea.pipeline_stages)

    def _operand(self, code: dict, name: str, inputs: dict[str, Link]) -> tuple[int, int]:
        source = code[name]
        if source in LINKS:
            return inputs[LINKS[source]]
        if source == OperandSource.REGISTER:
            number = code["a_register" if name == "a" else "b_register"] % self.pea.registers
            return self.registers.get(number, 0), 1
        return (code["constant"] & MASK if source == OperandSource.CONSTANT else 0), 1

    def _result(self, code: dict, inputs: dict[str, Link]) -> tuple[int, int]:
        operation = code["operation"]
        if not self._uses(code, "a"):
            return 0, 0
        a, a_valid = self._operand(code, "a", inputs)
        b, b_valid = self._operand(code, "b", inputs)
        valid = a_valid and (b_valid or not self._uses(code, "b"))
        if operation == Operation.SELECT:
            return (a if self.predicate else b), valid
        if operation.name in ("DOT4", "READ_ACCUMULATOR", "REQUANTISE"):
            return 0, valid
        return binary(operation, a, b), valid

    def _accumulate(self, code: dict, inputs: dict[str, Link]) -> int:
        """Accumulator operations, in order of issue; whether the result is valid."""
        self._accumulated = None
        a, b = (self._operand(code, name, inputs)[0] for name in "ab")
        if code["operation"] == Operation.DOT4:
            self.accumulator = (self.accumulator + dot4(a, b)) & MASK
            self.accumulator_valid = 1
            self._accumulated = self.accumulator
        elif code["operation"] in (Operation.READ_ACCUMULATOR, Operation.REQUANTISE):
            total = (self.accumulator + a) & MASK
            reads = code["operation"] == Operation.READ_ACCUMULATOR
            self._accumulated = total if reads else requantise(total, b)
            valid = self.accumulator_valid
            self.accumulator = self.accumulator_valid = 0
            return valid
        return 1


def tokens(run: dict[str, int], stages: int, send):
    """Yield (slot, active, clear) of every cycle of a run; ``send()``: exit is seen in it."""
    head, body, tail = run["head_length"], run["body_length"], run["tail_length"]
    everything = (1 << stages) - 1
    limit = (1 << run["stages"]) - 1
    clear = 1
    for _ in range(run["outer_trips"]):
        if not (head or tail or (body and run["body_trips"] and run["stages"])):
            break
        exited = False
        for slot in range(head):
            yield slot, everything, clear
            clear, exited = 0, exited or send()
        active, passes = 0, 0
        while body:
            active = (active << 1 | (passes < run["body_trips"] and not exited)) & limit
            if exited:
                active &= ~((1 << run["exit_stage"]) - 1)
            if not active:
                break
            for slot in range(body):
                yield head + slot, active, clear
                clear, exited = 0, exited or send()
                if exited and slot < body - 1:
                    active &= ~((1 << run["exit_stage"]) - 1)
            passes += 1
        for slot in range(tail):
            yield head + body + slot, everything, clear
            clear = 0
    for cycle in range(run["flush"]):
        yield (head + cycle % body if body else 0), 0, clear
        clear = 0


@dataclass
class Outcome:
    """What a run did: array cycles, words taken from inputs, words pushed to outputs."""

    cycles: int
    taken: dict[tuple[str, int], int]
    pushed: dict[tuple[str, int], list[int]]


def simulate(
    pea: PeaConfig,
    program: dict[tuple[int, int, int], dict],
    run: dict[str, int],
    inputs: dict[tuple[str, int], list[int]],
    state: dict | None = None,
) -> Outcome:
    """Run ``program`` ((row, column, slot) to instruction); ``inputs`` are streams by (side, port).

    ``state`` carries the PEs from one run to the next.
    """
    places = [(r, c) for r in range(pea.rows) for c in range(pea.columns)]
    elements = state if state is not None else {}
    for place in places:
        elements.setdefault(place, Element(pea, place))
        elements[place].links = dict.fromkeys(SIDES, (0, 0))
    nothing = instruction()
    edges = [("west", r) for r in range(pea.rows)] + [("north", c) for c in range(pea.columns)]
    taken = dict.fromkeys(edges, 0)
    pushed: dict[tuple[str, int], list[int]] = {edge: [] for edge in edges}
    history: list[tuple[int, int, int]] = []
    seen, pending = [0], 0  # exit as seen in this cycle, and in the next
    for element in elements.values():
        element.pipeline = []

    for cycle, token in enumerate(tokens(run, pea.stages, lambda: seen[0])):
        history.append(token)
        before = {place: elements[place].links for place in places}
        exits = 0
        for r, c in places:
            delay = r + c if run["skew"] else 0
            slot, active, clear = history[cycle - delay] if cycle >= delay else (0, 0, 0)
            element = elements[r, c]
            code = program.get((r, c, slot), nothing) if cycle >= delay else nothing
            code = element.built(code)
            around = {
                "north": before.get((r - 1, c), {}).get("south", (0, 0)),
                "south": before.get((r + 1, c), {}).get("north", (0, 0)),
                "west": before.get((r, c - 1), {}).get("east", (0, 0)),
                "east": before.get((r, c + 1), {}).get("west", (0, 0)),
            }
            for side, port, at_edge in (("west", r, c == 0), ("north", c, r == 0)):
                if not at_edge:
                    continue
                data, valid = before[r, c][side]
                if valid:
                    pushed[side, port].append(data)
                words = inputs.get((side, port), [])
                position = taken[side, port]
                if element.demands(code, active, side) and position < len(words):
                    around[side] = (words[position], 1)
                    taken[side, port] += 1
                else:
                    around[side] = (0, 0)
            exits |= element.step(cycle, code, active, clear, around)[1]
        seen[0], pending = pending, exits
    return Outcome(len(history), taken, pushed)
