"""What a netlist for ECP5 goes through between Yosys (JSON) and nextpnr, each step checked."""

import copy
from typing import Any

from carry_netlist import check_equal, improve_carries
from carry_starts import check_starts, start_carries
from multiplexer_netlist import check_multiplexers, draw_multiplexers
from multiplier_registers import check_registers, register_multipliers

STEPS = (
    (improve_carries, check_equal),
    (start_carries, check_starts),
    (draw_multiplexers, check_multiplexers),
    (register_multipliers, check_registers),
)


def improve(netlist: dict[str, Any]) -> dict[str, Any]:
    """A smaller netlist that computes the same; every changed cell is compared with the one before.

    Raises:
        RuntimeError: a step changed what the netlist computes.
    """
    for step, check in STEPS:
        after = step(copy.deepcopy(netlist))
        check(netlist, after)
        netlist = after
    return netlist
