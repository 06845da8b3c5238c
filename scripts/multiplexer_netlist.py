"""Puts multiplexers of an ECP5's slices into a netlist, between Yosys (JSON) and nextpnr.

A slice joins its two tables by a multiplexer of its own (PFUMX: ``Z = C0 ? ALUT : BLUT``), which
takes no table. Yosys' mapper knows it only as a table of five inputs. What is drawn here is more: a
table and those of which it is the only user are two tables and the multiplexer, wherever each value
of one input leaves no more than four of the others: up to nine inputs, one table deep.
"""

from collections.abc import Iterator
from typing import Any

from carry_netlist import CONSTANTS, PINS, Bit, Cell, assignments, entry, uses_of

Half = tuple[list[Bit], str]
"""A table: its inputs and INIT."""

INPUTS = 9
"""The inputs that two tables and the multiplexer's choice can take."""

TABLES = 6
"""The largest group of tables that is looked at."""


def draw_multiplexers(netlist: dict[str, Any]) -> dict[str, Any]:
    """The netlist, changed in place: groups of three tables and more are two and a multiplexer."""
    for module in netlist["modules"].values():
        _Drawing(module).draw()
    return netlist


class _Drawing:
    """The tables of a module, and what becomes of them."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells: dict[str, Cell] = module["cells"]
        uses = uses_of(module)
        tables = {name: cell for name, cell in self.cells.items() if cell["type"] == "LUT4"}
        bound = {
            bit
            for cell in self.cells.values()
            if cell["type"] == "PFUMX"
            for pin in ("ALUT", "BLUT")
            for bit in cell["connections"][pin]
        }
        self.roots = [name for name, cell in tables.items() if _output(cell) not in bound]
        self.inner = {
            _output(tables[name]): name for name in self.roots if uses[_output(tables[name])] == 2
        }
        self.next_bit = 1 + max((bit for bit in uses if isinstance(bit, int)), default=1)

    def draw(self) -> None:
        """Replace groups of tables, those that save most first."""
        found = sorted(
            (
                (len(group), root, group, choice, halves)
                for root in self.roots
                for group, choice, halves in self._groups(root)
            ),
            key=lambda item: (-item[0], item[1]),
        )
        for _, root, group, choice, halves in found:
            if all(name in self.cells for name in group):
                self._replace(root, group, choice, halves)

    def _groups(self, root: str) -> Iterator[tuple[tuple[str, ...], Bit, list[Half]]]:
        """Groups of three tables and more that end in ``root`` and fit, with what chooses and the
        two tables that it chooses from."""
        pending, seen = [(root,)], {frozenset((root,))}
        while pending:
            group = pending.pop()
            leaves = self._leaves(group)
            if len(group) > 2 and len(leaves) <= INPUTS:
                truth = self._truth(root, group, leaves)
                for choice in leaves:
                    halves = _halves(truth, leaves, choice)
                    if all(len(inputs) <= len(PINS) for inputs, _ in halves):
                        yield group, choice, halves
                        break
            if len(group) < TABLES:
                for bit in leaves:
                    larger = (*group, self.inner.get(bit, root))
                    if bit in self.inner and frozenset(larger) not in seen:
                        seen.add(frozenset(larger))
                        pending.append(larger)

    def _leaves(self, group: tuple[str, ...]) -> list[Bit]:
        """The inputs of a group, each once."""
        made = {_output(self.cells[name]) for name in group[1:]}
        bits = (bit for name in group for bit in _inputs(self.cells[name]))
        return [bit for bit in dict.fromkeys(bits) if bit not in made and bit not in CONSTANTS]

    def _truth(self, root: str, group: tuple[str, ...], leaves: list[Bit]) -> int:
        """The values of a group's output, a bit for each value of its inputs."""
        size = 1 << len(leaves)
        values = {bit: _column(place, len(leaves)) for place, bit in enumerate(leaves)}
        values |= {name: ((1 << size) - 1) * value for name, value in CONSTANTS.items()}
        made = {_output(self.cells[name]): name for name in group[1:]}

        def value(name: str) -> int:
            cell = self.cells[name]
            pins = [values[bit] if bit not in made else value(made[bit]) for bit in _inputs(cell)]
            return _apply(cell["parameters"]["INIT"], pins, size)

        return value(root)

    def _replace(self, root: str, group: tuple[str, ...], choice: Bit, halves: list[Half]) -> None:
        old = self.cells[root]
        multiplexer = {"C0": [choice], "Z": old["connections"]["Z"]}
        for (inputs, init), pin in zip(halves, ("BLUT", "ALUT"), strict=True):
            multiplexer[pin] = [self.next_bit]
            pins = [*inputs, *["0"] * (len(PINS) - len(inputs))]
            connections = {name: [bit] for name, bit in zip(PINS, pins, strict=True)}
            self.cells[f"{root}.{pin}"] = old | {
                "parameters": {"INIT": init},
                "connections": connections | {"Z": [self.next_bit]},
            }
            self.next_bit += 1
        for name in group:
            del self.cells[name]
        self.cells[f"{root}.choice"] = {
            **old,
            "type": "PFUMX",
            "parameters": {},
            "port_directions": {"ALUT": "input", "BLUT": "input", "C0": "input", "Z": "output"},
            "connections": multiplexer,
        }


def _output(cell: Cell) -> Bit:
    return cell["connections"]["Z"][0]


def _inputs(cell: Cell) -> list[Bit]:
    return [cell["connections"][pin][0] for pin in PINS]


def _column(place: int, variables: int) -> int:
    """The values of variable ``place`` in a truth table: 2^place zeros, as many ones, and so on."""
    step = 1 << place
    column = ((1 << step) - 1) << step
    for size in range(place + 1, variables):
        column |= column << (1 << size)
    return column


def _apply(init: str, pins: list[int], size: int) -> int:
    """A table of four inputs, on truth tables of ``size`` bits."""
    every = (1 << size) - 1
    out = 0
    for address, value in enumerate(reversed(init)):
        if value == "1":
            term = every
            for place, pin in enumerate(pins):
                term &= pin if address >> place & 1 else ~pin
            out |= term & every
    return out


def _halves(truth: int, leaves: list[Bit], choice: Bit) -> list[Half]:
    """What is left where ``choice`` is low and where it is high: (inputs it depends on, INIT).

    INIT is empty if these are more than a table has.
    """
    halves = []
    place = leaves.index(choice)
    column, step = _column(place, len(leaves)), 1 << place
    for half in (truth & ~column, (truth & column) >> step):
        half |= half << step
        needed = [
            number
            for number in range(len(leaves))
            if (half ^ half >> (1 << number)) & ~_column(number, len(leaves)) & _every(leaves)
        ]
        init = ""
        if len(needed) <= len(PINS):
            for address in range(1 << len(PINS)):
                row = sum((address >> pin & 1) << number for pin, number in enumerate(needed))
                init = str(half >> row & 1) + init
        halves.append(([leaves[number] for number in needed], init))
    return halves


def _every(leaves: list[Bit]) -> int:
    return (1 << (1 << len(leaves))) - 1


def check_multiplexers(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Compare a netlist with the one before, multiplexer by multiplexer and for every input.

    Written from the cells' definitions and not from what made the change.

    Raises:
        RuntimeError: they differ; the message names the cell.
    """
    for name, old in before["modules"].items():
        was, now = old["cells"], after["modules"][name]["cells"]
        gone = {cell["connections"]["Z"][0]: cell for key, cell in was.items() if key not in now}
        new = {cell["connections"]["Z"][0]: cell for key, cell in now.items() if key not in was}
        left = uses_of(after["modules"][name])
        if any(now[key] != was[key] for key in now.keys() & was.keys()):
            raise RuntimeError(f"{name}: a cell was changed that is still there")
        if any(cell["type"] != "LUT4" for cell in gone.values()):
            raise RuntimeError(f"{name}: something else than a table is missing")
        for bit in gone:
            if bit not in new and left[bit]:
                raise RuntimeError(f"{name}: a table is missing that is in use")
        for bit, cell in new.items():
            if cell["type"] == "PFUMX" and not _same(bit, gone, new):
                raise RuntimeError(f"{name}: net {bit} is not what it was")


def _same(bit: Bit, gone: dict[Bit, Cell], new: dict[Bit, Cell]) -> bool:
    """Whether the cells before and after make the same of ``bit`` for all values of its inputs."""

    def sources(net: Bit, cells: dict[Bit, Cell]) -> set[Bit]:
        if net not in cells:
            return set() if net in CONSTANTS else {net}
        pins = cells[net]["connections"]
        return {bit for pin in pins if pin != "Z" for bit in sources(pins[pin][0], cells)}

    def value(net: Bit, cells: dict[Bit, Cell], known: dict[Bit, int]) -> int:
        if net not in cells:
            return known[net]
        pins = {pin: bits[0] for pin, bits in cells[net]["connections"].items() if pin != "Z"}
        if cells[net]["type"] == "PFUMX":
            return value(pins["ALUT" if value(pins["C0"], cells, known) else "BLUT"], cells, known)
        inputs = [value(pins[pin], cells, known) for pin in PINS]
        return entry(cells[net]["parameters"]["INIT"], inputs)

    inner = {net: cell for net, cell in gone.items() if net == bit or net not in new}
    made = {net: cell for net, cell in new.items() if net == bit or cell["type"] == "LUT4"}
    inputs = sorted(sources(bit, inner) | sources(bit, made), key=str)
    return all(value(bit, inner, known) == value(bit, made, known) for known in assignments(inputs))
