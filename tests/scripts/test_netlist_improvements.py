"""What the synthesis scripts do to a netlist between Yosys and nextpnr, on small netlists."""

import copy
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from carry_starts import chains, check_starts, start_carries
from multiplexer_netlist import check_multiplexers, draw_multiplexers

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
