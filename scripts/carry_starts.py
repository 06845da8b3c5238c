"""Starts the carry chains of a netlist for ECP5 without a cell of their own, before nextpnr.

A chain whose first carry comes from logic or is a constant gets a cell from nextpnr that leads it
in. It needs none if its first half does not depend on the carry before it: a half with ``P = 0``
gives ``G`` on. That is the half of the first bit itself if nothing takes its sum, or one more in
front of it if the chain's last half is free.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from carry_netlist import (
    CONSTANTS,
    PINS,
    Bit,
    Cell,
    assignments,
    propagate_generate,
    uses_of,
)

FREE = ["x"]
"""What an unconnected pin of a cell is connected to."""

GIVE_A = "0000000000001010"
"""INIT of a half with C low and D high: P = 0, G = A."""


@dataclass(frozen=True)
class Half:
    """One bit of a chain: its table, its four inputs, and the net of its sum."""

    init: str
    inputs: tuple[Bit, ...]
    total: Bit

    def values(self) -> Iterator[tuple[int, int]]:
        """P and G for every value of the inputs."""
        for row in rows(self.inputs):
            yield propagate_generate(self.init, row)


def rows(bits: tuple[Bit, ...]) -> Iterator[list[int]]:
    """The values of ``bits`` for every value of the nets among them."""
    for known in assignments(dict.fromkeys(bit for bit in bits if bit not in CONSTANTS)):
        yield [known[bit] for bit in bits]


@dataclass(frozen=True)
class Chain:
    """The cells of a chain, first to last, and what comes out of it at the end."""

    cells: tuple[Cell, ...]

    @property
    def carry_in(self) -> Bit:
        return self.cells[0]["connections"]["CIN"][0]

    @property
    def carry_out(self) -> Bit:
        return self.cells[-1]["connections"]["COUT"][0]

    @property
    def halves(self) -> list[Half]:
        """Every half in the order of the carry."""
        return [
            Half(
                cell["parameters"]["INIT" + half],
                tuple(cell["connections"][pin + half][0] for pin in PINS),
                (cell["connections"].get("S" + half) or FREE)[0],
            )
            for cell in self.cells
            for half in "01"
        ]

    def place(self, halves: list[Half], carry_in: Bit) -> None:
        """Put other halves into the cells."""
        self.cells[0]["connections"]["CIN"] = [carry_in]
        for place, half in enumerate(halves):
            cell, which = self.cells[place // 2], str(place % 2)
            cell["parameters"]["INIT" + which] = half.init
            cell["connections"]["S" + which] = [half.total]
            for pin, bit in zip(PINS, half.inputs, strict=True):
                cell["connections"][pin + which] = [bit]


def chains(module: dict[str, Any]) -> dict[str, Chain]:
    """The carry chains of a module by the names of their first cells."""
    cells = {name: cell for name, cell in module["cells"].items() if cell["type"] == "CCU2C"}
    made = {cell["connections"]["COUT"][0] for cell in cells.values()} - CONSTANTS.keys()
    after = {cell["connections"]["CIN"][0]: cell for cell in cells.values()}
    after = {bit: cell for bit, cell in after.items() if bit in made}
    found = {}
    for name, cell in cells.items():
        if cell["connections"]["CIN"][0] not in made:
            chain = [cell]
            while (following := after.get(chain[-1]["connections"]["COUT"][0])) is not None:
                chain.append(following)
            found[name] = Chain(tuple(chain))
    return found


def start_carries(netlist: dict[str, Any]) -> dict[str, Any]:
    """The netlist, changed in place: chains start without a cell to lead them in where they can."""
    for module in netlist["modules"].values():
        uses = uses_of(module)
        uses["x"] = 0
        for chain in chains(module).values():
            _start(chain, {bit for bit, count in uses.items() if count > 1})
    return netlist


def _start(chain: Chain, used: set[Bit]) -> None:
    halves, carry = chain.halves, chain.carry_in
    if any(
        "YES" in (c["parameters"]["INJECT1_0"], c["parameters"]["INJECT1_1"]) for c in chain.cells
    ):
        return
    if carry == "x":
        return
    if chain.carry_out not in used and halves[-1].total not in used:
        lead = Half(GIVE_A, (carry, carry, "0", "1"), "x")
        chain.place([lead, *halves[:-1]], "x")
    elif halves[0].total not in used and carry in CONSTANTS:
        first = _without_carry(halves[0], CONSTANTS[carry])
        if first is not None:
            chain.place([first, *halves[1:]], "x")


def _without_carry(half: Half, carry: int) -> Half | None:
    """A half without P that gives on what ``half`` does after a constant; None if there is none."""
    a, b, *rest = half.inputs
    if any(bit not in CONSTANTS for bit in rest):
        return None
    init = ["0"] * 16
    for place_b, place_a in product((0, 1), repeat=2):
        row = [place_a, place_b, *(CONSTANTS[bit] for bit in rest)]
        propagate, generate = propagate_generate(half.init, row)
        init[15 - (2 * place_b + place_a)] = str(carry if propagate else generate)
    return Half("".join(init), (a, b, "0", "1"), "x")


def check_starts(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Compare the chains of a netlist with those before, for every input.

    Raises:
        RuntimeError: they differ; the message names the first cell of the chain.
    """
    for name, old in before["modules"].items():
        new = after["modules"][name]
        uses = uses_of(old)
        others = [
            {key: cell for key, cell in module["cells"].items() if cell["type"] != "CCU2C"}
            for module in (old, new)
        ]
        was, now = chains(old), chains(new)
        if others[0] != others[1] or was.keys() != now.keys():
            raise RuntimeError(f"{name}: something else than carry chains was changed")
        for key, chain in was.items():
            unused = {half.total for half in chain.halves if uses[half.total] < 2} | {"x"}
            same = chain.carry_out == now[key].carry_out or uses[chain.carry_out] < 2
            if not same or not _same(chain, now[key], unused):
                raise RuntimeError(f"{name}: {key} does not compute what it did")


def _same(was: Chain, now: Chain, unused: set[Bit]) -> bool:
    """Whether two chains compute the same sums, but for those that are ``unused``."""
    if now.carry_in != "x":
        return (was.carry_in, was.halves) == (now.carry_in, now.halves)
    lead, *rest = now.halves
    if lead.total not in unused or any(propagate for propagate, _ in lead.values()):
        return False
    if rest == was.halves[:-1]:  # one more in front: what it gives on is the carry that came in
        given = all(
            propagate_generate(lead.init, row[:4])[1] == row[4]
            for row in rows((*lead.inputs, was.carry_in))
        )
        return given and was.halves[-1].total in unused
    first, *others = was.halves
    if rest != others or was.carry_in not in CONSTANTS:
        return False
    for row in rows((*first.inputs, *lead.inputs)):
        propagate, generate = propagate_generate(first.init, row[:4])
        carry = CONSTANTS[was.carry_in] if propagate else generate
        if propagate_generate(lead.init, row[4:])[1] != carry:
            return False
    return True
