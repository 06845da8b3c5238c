"""What the synthesis scripts do to a netlist between Yosys and nextpnr, on small netlists."""

import copy
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from carry_starts import chains, check_starts, start_carries
from multiplexer_netlist import check_multiplexers, draw_multiplexers
from multiplier_registers import check_registers, register_multipliers

AND_OR = "1111100010001000"
"""A & B | C & D."""
CHOOSE = "1100101011001010"
"""C ? B : A."""
ADD = "1001011010101010"
"""A ^ B ^ C with D high, and A is carried on."""


def netlist(cells: dict[str, Any], outputs: list[int]) -> dict[str, Any]:
    """A module of these cells with these output nets."""
    return {"modules": {"top": {"cells": cells, "ports": {"out": {"bits": outputs}}}}}


def cell(kind: str, parameters: dict[str, str], **pins: int | str) -> dict[str, Any]:
    outputs = {"Z", "S0", "S1", "COUT"}
    return {
        "type": kind,
        "parameters": parameters,
        "port_directions": {pin: "output" if pin in outputs else "input" for pin in pins},
        "connections": {pin: [bit] for pin, bit in pins.items()},
    }


def table(init: str, inputs: list[int | str], output: int) -> dict[str, Any]:
    return cell("LUT4", {"INIT": init}, **dict(zip("ABCD", inputs, strict=True)), Z=output)


@pytest.fixture
def choice() -> dict[str, Any]:
    """Nine inputs, 2 to 10, and three tables; the last takes one of the other two."""
    cells = {
        "first": table(AND_OR, [2, 3, 4, 5], 11),
        "second": table(AND_OR, [6, 7, 8, 9], 12),
        "choice": table(CHOOSE, [11, 12, 10, "0"], 13),
    }
    return netlist(cells, [13])


def test_three_tables_become_two_and_a_multiplexer(choice: dict[str, Any]) -> None:
    after = draw_multiplexers(copy.deepcopy(choice))
    kinds = sorted(cell["type"] for cell in after["modules"]["top"]["cells"].values())
    assert kinds == ["LUT4", "LUT4", "PFUMX"]
    check_multiplexers(choice, after)


def test_a_table_that_others_use_stays(choice: dict[str, Any]) -> None:
    choice["modules"]["top"]["ports"]["out"]["bits"].append(11)
    assert draw_multiplexers(copy.deepcopy(choice)) == choice


@pytest.mark.parametrize("place", range(16))
@pytest.mark.parametrize("pin", ["ALUT", "BLUT"])
def test_every_wrong_entry_of_a_table_is_found(
    choice: dict[str, Any], pin: str, place: int
) -> None:
    after = draw_multiplexers(copy.deepcopy(choice))
    parameters = after["modules"]["top"]["cells"][f"choice.{pin}"]["parameters"]
    bits = list(parameters["INIT"])
    bits[place] = "01"[bits[place] == "0"]
    parameters["INIT"] = "".join(bits)
    with pytest.raises(RuntimeError, match="net 13"):
        check_multiplexers(choice, after)


def sums(carry: int | str, last: int | str = "x") -> dict[str, Any]:
    """Two bits a carry chain: the sums of nets 2 + 4 and 3 + 5; the second goes to ``last``."""
    inits = {f"INIT{half}": ADD for half in "01"} | {f"INJECT1_{half}": "NO" for half in "01"}
    inputs = {"A0": 2, "B0": 4, "A1": 3, "B1": 5} | dict.fromkeys(("C0", "C1"), "0")
    ends = {"CIN": carry, "COUT": "x", "S0": 20, "S1": last}
    pins = inputs | dict.fromkeys(("D0", "D1"), "1") | ends
    return netlist({"chain": cell("CCU2C", inits, **pins)}, [20, last])


@pytest.mark.parametrize("carry", ["0", "1", 6])
def test_a_chain_with_room_starts_by_itself(carry: int | str) -> None:
    before = sums(carry)
    after = start_carries(copy.deepcopy(before))
    lead, first = chains(after["modules"]["top"])["chain"].halves
    assert first == chains(before["modules"]["top"])["chain"].halves[0]
    assert all(values == (0, lead.inputs[0] == "1") for values in lead.values()) or carry == 6
    check_starts(before, after)


def test_a_chain_without_room_stays() -> None:
    before = sums("1", last=21)
    assert start_carries(copy.deepcopy(before)) == before


@pytest.mark.parametrize("pin", ["A0", "A1", "B1", "S1"])
def test_a_wrong_pin_of_a_chain_is_found(pin: str) -> None:
    before = sums(6)
    after = start_carries(copy.deepcopy(before))
    after["modules"]["top"]["cells"]["chain"]["connections"][pin] = [7]
    with pytest.raises(RuntimeError, match="chain"):
        check_starts(before, after)


def kept_product(enable: int | str = 40, reset: int | str = 41) -> dict[str, Any]:
    """A product of two bits, each kept by a flip-flop: 10 and 11 become 20 and 21."""
    pins = {f"P{place}": bit for place, bit in enumerate([10, 11, 12])}
    cells = {"product": cell("MULT18X18D", {}, A0=2, B0=3, **pins)}
    cells["product"]["port_directions"] |= dict.fromkeys(pins, "output")
    for place in range(2):
        cells[f"keeper{place}"] = flip_flop(10 + place, 20 + place, enable, reset)
    cells["reset"] = table(AND, [40, 5, "0", "0"], 41)
    return netlist(cells, [20, 21])


AND = "1000100010001000"
"""A & B."""
OR = "1110111011101110"


def flip_flop(data: int, kept: int, enable: int | str, reset: int | str) -> dict[str, Any]:
    parameters = {"CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET", "SRMODE": "LSR_OVER_CE"}
    parameters["CEMUX"] = "1 " if enable == "1" else "CE"
    made = cell("TRELLIS_FF", parameters, CLK=1, DI=data, LSR=reset, CE=enable, Q=kept)
    made["port_directions"]["Q"] = "output"
    return made


@pytest.mark.parametrize(("enable", "reset"), [(40, 41), (40, "0"), ("1", 41)])
def test_a_multiplier_keeps_its_product(enable: int | str, reset: int | str) -> None:
    before = kept_product(enable, reset)
    after = register_multipliers(copy.deepcopy(before))
    cells = after["modules"]["top"]["cells"]
    assert sorted(cells) == ["product", "reset"]
    product = cells["product"]
    assert product["parameters"]["REG_OUTPUT_CLK"] == "CLK0"
    pins = ("P0", "P1", "P2", "CLK0", "CE0", "RST0")
    assert [product["connections"][pin] for pin in pins] == [
        [bit] for bit in (20, 21, 12, 1, enable, reset)
    ]
    check_registers(before, after)


def spoil(change: str) -> dict[str, Any]:
    """A product that a multiplier must not keep."""
    made = kept_product()
    cells = made["modules"]["top"]["cells"]
    if change == "reset without enable":
        cells["reset"]["parameters"]["INIT"] = OR
    elif change == "reset from elsewhere":
        del cells["reset"]
    elif change == "other enable":
        cells["keeper1"]["connections"]["CE"] = [42]
    elif change == "other clock":
        cells["keeper0"]["connections"]["CLK"] = [43]
    elif change == "set instead of reset":
        cells["keeper0"]["parameters"]["REGSET"] = "SET"
    elif change == "used before it is kept":
        made["modules"]["top"]["ports"]["out"]["bits"].append(10)
    elif change == "not kept":
        made["modules"]["top"]["ports"]["out"]["bits"].append(12)
    return made


@pytest.mark.parametrize(
    "change",
    [
        "reset without enable",
        "reset from elsewhere",
        "other enable",
        "other clock",
        "set instead of reset",
        "used before it is kept",
        "not kept",
    ],
)
def test_a_product_that_does_not_fit_stays_outside(change: str) -> None:
    before = spoil(change)
    assert register_multipliers(copy.deepcopy(before)) == before


def wrong_registers() -> list[dict[str, Any]]:
    """Netlists after the step that do not compute what those before did."""
    found = []
    for pin, bit in (("P0", 21), ("P2", 21), ("CE0", "1"), ("RST0", "0"), ("CLK0", 2), ("A0", 4)):
        made = register_multipliers(kept_product())
        made["modules"]["top"]["cells"]["product"]["connections"][pin] = [bit]
        found.append(made)
    made = register_multipliers(kept_product())
    del made["modules"]["top"]["cells"]["reset"]
    found.append(made)
    made = kept_product()
    del made["modules"]["top"]["cells"]["keeper0"]
    found.append(made)
    made = register_multipliers(kept_product())
    made["modules"]["top"]["ports"]["out"]["bits"].append(10)
    found.append(made)
    return found


@pytest.mark.parametrize("after", wrong_registers())
def test_a_wrong_register_is_found(after: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError):
        check_registers(kept_product(), after)


@pytest.mark.parametrize("change", ["reset without enable", "other enable", "other clock"])
def test_a_register_made_of_what_does_not_fit_is_found(change: str) -> None:
    with pytest.raises(RuntimeError, match="does not keep what flip-flops kept"):
        check_registers(spoil(change), register_multipliers(kept_product()))
