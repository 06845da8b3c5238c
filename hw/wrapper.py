"""The chip with the port names that AXI masters and board designs are used to.

The wrapper adds no logic but the inversion of the reset; ports for traces stay open.
"""

import re
from dataclasses import dataclass, fields
from importlib.metadata import version

from amaranth.hdl import Value
from amaranth.lib import wiring

from .chip import Chip
from .emit import EmittedModule
from .file_header import DISTRIBUTION, LICENCE

INTERRUPT = "interrupt_line"
HOST_PORTS = ("axil", "axi", INTERRUPT)
"""Ports of the chip for its host; the others are traces, which only simulation looks at."""


class PortNameError(ValueError):
    """A port's name is no name, or given twice; the message says which."""


@dataclass(frozen=True)
class PortNames:
    """Names of the wrapper's ports.

    Attributes
    ----------
    clock, reset: the reset is synchronous and active low. interrupt: the interrupt line.
    registers, window: prefixes of the AXI4-Lite and of the AXI4 port.
    """

    clock: str = "aclk"
    reset: str = "aresetn"
    registers: str = "s_axil"
    window: str = "s_axi"
    interrupt: str = "irq"

    def __post_init__(self) -> None:
        names = [getattr(self, field.name) for field in fields(self)]
        for name in names:
            if not re.fullmatch(r"[a-zA-Z]\w*", name):
                raise PortNameError(f"port is {name!r}; allowed: letters, digits and _")
        if len(set(names)) != len(names):
            raise PortNameError(f"ports are {', '.join(names)}; allowed: each name once")

    @classmethod
    def parse(cls, assignments: list[str]) -> "PortNames":
        """Names from ``KIND=NAME``, for example ``clock=clk``.

        Raises:
            PortNameError: no such kind, or what is given is no name.
        """
        kinds = [field.name for field in fields(cls)]
        given: dict[str, str] = {}
        for assignment in assignments:
            kind, equals, name = assignment.partition("=")
            if kind not in kinds or not equals:
                allowed = ", ".join(f"{known}=NAME" for known in kinds)
                raise PortNameError(f"--port is {assignment!r}; allowed: {allowed}")
            given[kind] = name
        return cls(**given)


@dataclass(frozen=True)
class WrapperPort:
    """A port of the wrapper: ``way`` is ``input`` or ``output``, ``inner`` the chip's port."""

    name: str
    way: str
    bits: int
    inner: str


def wrapper_ports(chip: Chip, names: PortNames) -> list[WrapperPort]:
    """The ports in the order of the wrapper: clock, reset, interrupt, then both buses."""
    ports = [
        WrapperPort(names.clock, "input", 1, "clk"),
        WrapperPort(names.reset, "input", 1, "rst"),
    ]
    prefixes = {"axil": names.registers, "axi": names.window}
    for path, member, value in chip.signature.flatten(chip):
        first, rest = str(path[0]), "_".join(str(part) for part in path[1:])
        if first in HOST_PORTS:
            name = f"{prefixes[first]}_{rest}" if first in prefixes else names.interrupt
            way = "input" if member.flow == wiring.In else "output"
            inner = "__".join(str(part) for part in path)
            ports.append(WrapperPort(name, way, len(Value.cast(value)), inner))
    return ports


def wrapper_name(chip: Chip) -> str:
    """Name of the wrapper's module."""
    return f"octopus_{chip.config.name}"


def wrap(chip: Chip, modules: list[EmittedModule], names: PortNames) -> EmittedModule:
    """The wrapper ``octopus_NAME`` of the emitted chip, which is the last of ``modules``.

    Raises:
        PortNameError: the names of two ports, or of the wrapper and a module, are the same.
    """
    inner, taken = modules[-1], {module.name for module in modules}
    ports = wrapper_ports(chip, names)
    given = [port.name for port in ports]
    if len(set(given)) != len(given):
        twice = next(name for name in given if given.count(name) > 1)
        raise PortNameError(f"two ports are {twice!r}; allowed: each name once")
    name = wrapper_name(chip)
    if name in taken:
        raise PortNameError(f"name is {chip.config.name!r}, and {name} a module of the chip")
    declared = [
        f"  {port.way} wire {f'[{port.bits - 1}:0] ' if port.bits > 1 else ''}{port.name}"
        for port in ports
    ]
    joined = [
        f"    .{port.inner}({f'!{port.name}' if port.inner == 'rst' else port.name})"
        for port in ports
    ]
    traces = _traces(chip)
    opened = [f"    .{signal}(trace_{signal})" for signal in traces]
    text = "\n".join(
        [
            f"// {name}: the chip {inner.name} with conventional port names",
            f"// Octopus {version(DISTRIBUTION)}, generated; SPDX-License-Identifier: {LICENCE}",
            "//",
            f"// {names.clock}: the clock of everything",
            f"// {names.reset}: synchronous, active low",
            f"// {names.interrupt}: high while an enabled cause is there (see interrupt_status)",
            f"// {names.registers}_*: AXI4-Lite slave, the registers",
            f"// {names.window}_*: AXI4 slave, memories and configuration",
            "",
            "`default_nettype none",
            "",
            f"module {name}(",
            ",\n".join(declared),
            ");",
            *(f"  wire [{bits - 1}:0] trace_{signal};" for signal, bits in traces.items()),
            f"  {inner.name} chip (",
            ",\n".join([*joined, *opened]),
            "  );",
            "endmodule",
            "",
            "`default_nettype wire",
            "",
        ]
    )
    return EmittedModule(name, text, inner.parameters, 1)


def template(chip: Chip, names: PortNames) -> str:
    """An instance to be copied: every port joined to a signal of its name."""
    ports = wrapper_ports(chip, names)
    signals = [
        f"wire {f'[{port.bits - 1}:0] ' if port.bits > 1 else ''}{port.name};" for port in ports
    ]
    joined = ",\n".join(f"  .{port.name}({port.name})" for port in ports)
    top = wrapper_name(chip)
    return "\n".join([*signals, "", f"{top} {top}_0 (", joined, ");", ""])


def _traces(chip: Chip) -> dict[str, int]:
    """Bits of the chip's outputs that only simulation looks at; nothing hangs on them here."""
    return {
        "__".join(str(part) for part in path): len(Value.cast(value))
        for path, _, value in chip.signature.flatten(chip)
        if path[0] not in HOST_PORTS
    }
