"""What a compiled kernel does, as text for people."""

from octopus.hw.layouts.instruction import OperandSource, Operation, OutputSelect, PredicateMode

from .compiler import Compiled
from .emit import SIDES

_CONDITIONS = {
    PredicateMode.ALWAYS: "",
    PredicateMode.IF_TRUE: "if p: ",
    PredicateMode.IF_FALSE: "if not p: ",
}


def listing(compiled: Compiled) -> str:
    """The kernel's figures, streams, and every instruction with the node it does."""
    program = compiled.program
    lines = [
        f"kernel {compiled.graph.name}: interval {compiled.interval} "
        f"(bound {compiled.bound}: {compiled.bounds[0].resource}), by {compiled.method}",
        f"stages {program.stages}, trips beyond the iterations {program.early}, "
        f"head {program.head_length}, flush {program.flush}",
        "",
        "streams",
    ]
    for stream in compiled.streams:
        side = f"row {stream.number} west" if stream.west else f"column {stream.number} north"
        direction = "out" if stream.output else "in"
        kind = " computed" if stream.computed else " conditional" if stream.conditional else ""
        words = ", ".join(
            f"{node.name} = {node.access.array}[{node.access.offset} + "
            f"{list(node.access.strides)}]" + (f" shifted {node.shift}" if node.shift else "")
            for node in stream.nodes
        )
        lines.append(f"  {side} {direction}{kind}: {words}")
    for place, values in sorted(program.initial.items()):
        written = ", ".join(f"r{number} = {value}" for number, value in sorted(values.items()))
        lines.append(f"  PE {place} starts with {written}")
    names = {
        (*place, time % compiled.interval): f"{name} @ {time}"
        for name, (place, time) in compiled.mapping.places.items()
    }
    for key, fields in sorted(program.instructions.items()):
        row, column, slot = key
        text = _instruction(fields)
        if text:
            note = f"  ; {names[key]}" if key in names else ""
            lines.append(f"PE ({row}, {column}) slot {slot}: {text}{note}")
    return "\n".join(lines) + "\n"


def _instruction(fields: dict[str, object]) -> str:
    parts = []
    operation = fields.get("operation", Operation.NOP)
    if isinstance(operation, Operation) and operation is not Operation.NOP:
        operands = [_source(fields, letter) for letter in "ab" if letter in fields]
        targets = []
        if "destination" in fields:
            targets.append(f"r{fields['destination']}")
        if fields.get("write_predicate"):
            targets.append("p")
        if fields.get("exit"):
            targets.append("exit")
        targets += [side for side in SIDES if fields.get(side) is OutputSelect.RESULT]
        when = fields.get("predicate", PredicateMode.ALWAYS)
        condition = _CONDITIONS[when] if isinstance(when, PredicateMode) else ""
        arrow = f" -> {', '.join(targets)}" if targets else ""
        parts.append(f"{condition}{operation.name.lower()} {', '.join(operands)}{arrow}")
    for side in SIDES:
        if fields.get(side) is OutputSelect.STRAIGHT:
            parts.append(f"{side} <- straight")
        elif fields.get(side) is OutputSelect.ROUTE:
            parts.append(f"{side} <- {_source(fields, 'route')}")
    if parts and fields.get("stage"):
        parts.append(f"[stage {fields['stage']}]")
    return "; ".join(parts)


def _source(fields: dict[str, object], letter: str) -> str:
    source = fields[letter]
    if source is OperandSource.CONSTANT:
        value = int(str(fields["constant"]))
        return f"#{value - (1 << 32) if value >> 31 else value}"
    if source is OperandSource.REGISTER:
        return f"r{fields['b_register' if letter == 'route' else f'{letter}_register']}"
    return "0" if source is OperandSource.ZERO else getattr(source, "name", "?").lower()
