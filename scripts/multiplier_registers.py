"""Draws registers behind the multipliers of a netlist for ECP5 into them, before nextpnr.

A MULT18X18D has a register at its output, which Yosys leaves unused. Registers that do nothing but
keep a product go there if they share clock, enable and reset. In a flip-flop the reset comes before
the enable; that a multiplier's does, too, is not relied on: its reset must imply the enable.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from carry_netlist import CONSTANTS, PINS, Bit, Cell, assignments, entry, uses_of

PRODUCT = tuple(f"P{place}" for place in range(36))
REGISTERED = {
    "REG_OUTPUT_CLK": "CLK0",
    "REG_OUTPUT_CE": "CE0",
    "REG_OUTPUT_RST": "RST0",
    "CLK0_DIV": "ENABLED",
    "RESETMODE": "SYNC",
    "GSR": "DISABLED",
}
"""Parameters of a multiplier whose product is kept."""


@dataclass(frozen=True)
class Control:
    """What the flip-flops of a register share; an enable or a reset may be constant."""

    clock: Bit
    enable: Bit
    reset: Bit


def register_multipliers(netlist: dict[str, Any]) -> dict[str, Any]:
    """The netlist, changed in place, with registers in its multipliers where they fit."""
    for module in netlist["modules"].values():
        uses = uses_of(module)
        cells = module["cells"]
        keepers = {cell["connections"]["DI"][0]: name for name, cell in flip_flops(module).items()}
        for cell in multipliers(module).values():
            used = {
                pin: bit
                for pin in PRODUCT
                if uses[bit := cell["connections"].get(pin, ["x"])[0]] > 1
            }
            names = [keepers.get(bit) for bit in used.values()]
            if not used or None in names or any(uses[bit] != 2 for bit in used.values()):
                continue
            controls = {control_of(cells[name]) for name in names if name}
            if len(controls) != 1 or not fits(control := controls.pop(), module):
                continue
            for pin, name in zip(used, names, strict=True):
                cell["connections"][pin] = cells.pop(name)["connections"]["Q"]
            cell["parameters"] |= REGISTERED
            pins = {"CLK0": control.clock, "CE0": control.enable, "RST0": control.reset}
            for pin, bit in pins.items():
                cell["connections"][pin] = [bit]
                cell["port_directions"][pin] = "input"
    return netlist


def multipliers(module: dict[str, Any]) -> dict[str, Cell]:
    """The multipliers of a module that keep nothing."""
    return {
        name: cell
        for name, cell in module["cells"].items()
        if cell["type"] == "MULT18X18D" and not any(key[:3] == "REG" for key in cell["parameters"])
    }


def flip_flops(module: dict[str, Any]) -> dict[str, Cell]:
    """The flip-flops of a module by name that a multiplier's register could be made of."""
    plain = {"CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET", "SRMODE": "LSR_OVER_CE"}
    return {
        name: cell
        for name, cell in module["cells"].items()
        if cell["type"] == "TRELLIS_FF"
        and "DI" in cell["connections"]
        and all(cell["parameters"].get(key, value) == value for key, value in plain.items())
        and cell["parameters"]["CEMUX"].strip() in ("CE", "1")
    }


def control_of(cell: Cell) -> Control:
    """Clock, enable and reset of a flip-flop."""
    pins = cell["connections"]
    enabled = cell["parameters"]["CEMUX"].strip() == "CE"
    return Control(
        clock=pins["CLK"][0],
        enable=pins["CE"][0] if enabled else "1",
        reset=pins.get("LSR", ["0"])[0],
    )


def fits(control: Control, module: dict[str, Any]) -> bool:
    """Whether the reset is never high without the enable."""
    if control.enable == "1" or control.reset == "0":
        return True
    for cell in module["cells"].values():
        if cell["type"] == "LUT4" and cell["connections"]["Z"][0] == control.reset:
            return not any(
                value and not known.get(control.enable, 0) for known, value in entries(cell)
            )
    return False


def entries(table: Cell) -> Iterator[tuple[dict[Bit, int], int]]:
    """The values of the nets at a table's inputs, and the table's value, for all of the former."""
    inputs = [table["connections"][pin][0] for pin in PINS]
    for known in assignments(dict.fromkeys(bit for bit in inputs if bit not in CONSTANTS)):
        yield known, entry(table["parameters"]["INIT"], [known[bit] for bit in inputs])


def check_registers(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Compare a netlist with the one before: each product kept is one that a flip-flop kept.

    Raises:
        RuntimeError: they differ; the message names the multiplier, or the module.
    """
    for name, old in before["modules"].items():
        new = after["modules"][name]
        uses, keepers = uses_of(old), flip_flops(old)
        changed = {key for key, cell in old["cells"].items() if new["cells"].get(key) != cell}
        drawn_in = {key for key in changed if key not in new["cells"]}
        kept: dict[Bit, set[str]] = defaultdict(set)
        for key in drawn_in:
            if key not in keepers:
                raise RuntimeError(f"{name}: {key} is gone, which no multiplier could keep")
            kept[old["cells"][key]["connections"]["Q"][0]].add(key)
        found = set()
        for key in changed - drawn_in:
            found |= _kept_by(key, old, new, kept, uses)
        if found != drawn_in or new["cells"].keys() - old["cells"].keys():
            raise RuntimeError(f"{name}: flip-flops are gone that no multiplier keeps")
        left = {bit for cell in new["cells"].values() for bits in _inputs(cell) for bit in bits}
        left |= {bit for port in new["ports"].values() for bit in port["bits"]}
        lost = {old["cells"][key]["connections"]["DI"][0] for key in drawn_in}
        if left & lost:
            raise RuntimeError(f"{name}: products are used also before they are kept")


def _kept_by(
    key: str, old: Any, new: Any, kept: dict[Bit, set[str]], uses: Counter[Bit]
) -> set[str]:
    """The flip-flops that the multiplier ``key`` stands for now; ``uses``: of the old bits."""
    was, now = old["cells"][key], new["cells"][key]
    wrong = RuntimeError(f"{key} does not keep what flip-flops kept")
    if was["type"] != "MULT18X18D" or now["parameters"] != was["parameters"] | REGISTERED:
        raise wrong
    pins = {pin: bits[0] for pin, bits in now["connections"].items()}
    control = Control(pins.pop("CLK0"), pins.pop("CE0"), pins.pop("RST0"))
    found = set()
    for pin, bit in pins.items():
        product_bit = was["connections"][pin][0]
        if pin not in PRODUCT:
            if bit != product_bit:
                raise wrong
        elif bit != product_bit:
            keeper = [
                name
                for name in kept[bit]
                if old["cells"][name]["connections"]["DI"] == [product_bit]
            ]
            if len(keeper) != 1 or control_of(old["cells"][keeper[0]]) != control:
                raise wrong
            found.add(keeper[0])
        elif uses[bit] > 1:
            raise wrong
    if not fits(control, old):
        raise wrong
    return found


def _inputs(cell: Cell) -> list[list[Bit]]:
    return [
        bits
        for pin, bits in cell["connections"].items()
        if cell.get("port_directions", {}).get(pin) != "output"
    ]
