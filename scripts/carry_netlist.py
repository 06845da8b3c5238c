"""Improves the carry chains of a netlist for ECP5, between Yosys (JSON) and nextpnr.

A carry cell (CCU2C) has two halves. Each computes ``P = INIT[D C B A]`` and ``G = INIT[0 0 B A]``;
the sum is ``P ^ carry``, the next carry ``P ? carry : G``. Yosys uses two of the four inputs for
the terms of a sum, one for subtraction and none for logic, so a table before an adder takes a cell
of its own although the chain has room for it.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import permutations, product
from typing import Any

Cell = dict[str, Any]
Bit = int | str

PINS = "ABCD"
CONSTANTS: dict[Bit, int] = {"0": 0, "1": 1, "x": 0}
"""The bits of a netlist that are no nets, and what tables make of them."""
ADD = "1001011010101010"
"""INIT of Yosys's half with D high: P = A ^ B ^ C, G = A."""


def improve_carries(netlist: dict[str, Any]) -> dict[str, Any]:
    """The netlist, changed in place, with tables before chains drawn in and loose ends untied."""
    for module in netlist["modules"].values():
        _draw_in_tables(module)
        _untie_loose_carries(module)
    return netlist


def uses_of(module: dict[str, Any]) -> Counter[Bit]:
    """How many pins, ports included, each bit is connected to; its driver is one of them."""
    uses = Counter(
        bit
        for cell in module["cells"].values()
        for bits in cell["connections"].values()
        for bit in bits
    )
    uses.update(bit for port in module["ports"].values() for bit in port["bits"])
    return uses


def _untie_loose_carries(module: dict[str, Any]) -> None:
    """Unconnect carry outputs that nothing uses: nextpnr would spend a cell on each of them."""
    uses = uses_of(module)
    for cell in module["cells"].values():
        if cell["type"] == "CCU2C" and uses[cell["connections"]["COUT"][0]] == 1:
            cell["connections"]["COUT"] = ["x"]


def _draw_in_tables(module: dict[str, Any]) -> None:
    """Let the chains compute tables of which they are the only users."""
    uses = uses_of(module)
    tables = {
        cell["connections"]["Z"][0]: name
        for name, cell in module["cells"].items()
        if cell["type"] == "LUT4" and uses[cell["connections"]["Z"][0]] == 2
    }
    for cell in list(module["cells"].values()):
        if cell["type"] == "CCU2C" and "YES" not in (
            cell["parameters"]["INJECT1_0"],
            cell["parameters"]["INJECT1_1"],
        ):
            for half in "01":
                name = _draw_in(cell, half, tables, module["cells"])
                if name is not None:
                    del module["cells"][name]


def _draw_in(cell: Cell, half: str, tables: dict[Bit, str], cells: dict[str, Cell]) -> str | None:
    """Draw the table before one term of a half into it; its name, or None if it does not fit."""
    pins = cell["connections"]
    a, b, c, d = (pins[pin + half][0] for pin in PINS)
    if cell["parameters"]["INIT" + half] != ADD or d != "1":
        return None
    for term, raw in ((b, a), (a, b)):
        table = cells.get(tables.get(term, ""))
        if table is None or term in (raw, c):
            continue
        found = _fit(table, raw, c, generate=raw if term == b else None)
        if found is not None:
            cell["parameters"]["INIT" + half], chosen = found
            for pin, bit in zip(PINS, chosen, strict=True):
                pins[pin + half] = [bit]
            return tables.pop(term)
    return None


def _fit(
    table: Cell, raw: Bit, inverted: Bit, generate: Bit | None
) -> tuple[str, tuple[Bit, ...]] | None:
    """INIT and inputs of a half for ``raw ^ table ^ inverted``; None if there is none.

    ``generate``: the bit that is carried on if P is low; None for the table's own value, which is
    then ``raw ^ inverted``.
    """
    inputs = [table["connections"][pin][0] for pin in PINS]
    truth = table["parameters"]["INIT"]
    variables = list(dict.fromkeys(bit for bit in [raw, inverted, *inputs] if bit not in CONSTANTS))
    if len(variables) > len(PINS):
        return None
    spare: list[Bit] = ["1"] * (len(PINS) - len(variables))

    for order in permutations(variables):
        chosen = (*order, *spare)
        init: list[str | None] = [None] * 16
        for index in range(16):
            values = dict(CONSTANTS)
            pins = [index >> place & 1 for place in range(len(PINS))]
            if any(not pin for pin in pins[len(order) :]):
                continue  # a spare input is never low
            values.update(zip(order, pins, strict=False))
            address = sum(values[bit] << place for place, bit in enumerate(inputs))
            term = int(truth[len(truth) - 1 - address])
            carried = values[generate] if generate is not None else values[raw] ^ values[inverted]
            propagate = values[raw] ^ term ^ values[inverted]
            if not _enter(init, index, propagate) or not (
                propagate or _enter(init, index & 3, carried)
            ):
                break
        else:
            return "".join(bit or "0" for bit in reversed(init)), chosen
    return None


def _enter(init: list[str | None], index: int, value: int) -> bool:
    """Set an entry of INIT; whether it does not contradict what it is already."""
    if init[index] is None:
        init[index] = str(value)
    return init[index] == str(value)


def check_equal(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Compare an improved netlist with the one before, cell by cell and for every input.

    Written from the cells' definitions and not from what made the change. A half of a carry cell
    must keep its P, and its G where that is carried on; nothing else may have changed.

    Raises:
        RuntimeError: they differ; the message names the cell.
    """
    for name, old in before["modules"].items():
        new = after["modules"][name]
        gone = {key: cell for key, cell in old["cells"].items() if key not in new["cells"]}
        tables = {cell["connections"]["Z"][0]: cell for cell in gone.values()}
        left = uses_of(new)
        uses = uses_of(old)
        if any(cell["type"] != "LUT4" for cell in gone.values()) or any(left[z] for z in tables):
            raise RuntimeError(f"{name}: a cell is missing that is in use")
        for key, cell in new["cells"].items():
            was = old["cells"][key]
            if cell["type"] != "CCU2C":
                same = cell == was
            else:
                loose = uses[was["connections"]["COUT"][0]] == 1
                same = all(_same_half(was, cell, half, tables) for half in "01") and all(
                    cell["connections"][pin] == was["connections"][pin] or (pin == "COUT" and loose)
                    for pin in ("CIN", "S0", "S1", "COUT")
                    if pin in was["connections"]
                )
            if not same:
                raise RuntimeError(f"{name}: {key} does not compute what it did")


def _same_half(was: Cell, now: Cell, half: str, tables: dict[Bit, Cell]) -> bool:
    """Whether a half computes the same for all values of its inputs."""
    old, new = ([cell["connections"][pin + half][0] for pin in PINS] for cell in (was, now))
    inner = [
        cell["connections"][pin][0] for bit in old if (cell := tables.get(bit)) for pin in PINS
    ]
    variables = list(dict.fromkeys(bit for bit in (*old, *new, *inner) if isinstance(bit, int)))
    variables = [bit for bit in variables if bit not in tables]
    for values in assignments(variables):
        for bit in old:
            if (table := tables.get(bit)) is not None:
                pins = [values[table["connections"][pin][0]] for pin in PINS]
                values[bit] = entry(table["parameters"]["INIT"], pins)
        first, second = (
            propagate_generate(cell["parameters"]["INIT" + half], [values[bit] for bit in bits])
            for cell, bits in ((was, old), (now, new))
        )
        if first != second:
            return False
    return True


def assignments(nets: Collection[Bit]) -> Iterator[dict[Bit, int]]:
    """Every choice of values for these nets, with the constants."""
    for row in product((0, 1), repeat=len(nets)):
        yield CONSTANTS | dict(zip(nets, row, strict=True))


def entry(init: str, pins: list[int]) -> int:
    """What a table of four inputs holds for the values of its pins A to D."""
    return int(init[-1 - sum(value << place for place, value in enumerate(pins))])


def propagate_generate(init: str, pins: list[int]) -> tuple[int, int]:
    """P of a half, and G, which is 0 where P is high and it is not used."""
    propagate = entry(init, pins)
    return propagate, 0 if propagate else entry(init, [*pins[:2], 0, 0])
