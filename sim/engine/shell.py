"""The Verilog of a block without its cut children, whose ports become ports of the block."""

import re
from collections.abc import Mapping

_DECLARATION = re.compile(r"^  (?:input|output) (?:\[\d+:\d+\] )?(\\\S+ |\w+) ?;\n", re.MULTILINE)
_CONNECTION = re.compile(r"\s*\.(\\\S+ |\w+)\((.*)\),?$", re.DOTALL)

PortKey = tuple[str, str]
Ports = Mapping[str, tuple[PortKey, int]]
"""By the shell's port: the (child, port) that it stands for, and its width."""


class ShellError(RuntimeError):
    """The emitted Verilog has not the form that is expected; the message says where."""


def shell_text(text: str, name: str, cut: Mapping[str, str], inputs: Ports, outputs: Ports) -> str:
    """The module ``name`` without some children.

    Parameters
    ----------
    text: its Verilog, with its helper modules.
    cut: the children to leave out: their modules, by instance.
    inputs, outputs: the shell's ports. Child "" stands for the block's own; of a child's outputs
        come inputs of the shell, of its inputs outputs.

    Raises:
        ShellError: a child was not found.
    """
    header = re.search(rf"^module {name}\((.*?)\);\n", text, re.MULTILINE | re.DOTALL)
    if header is None:
        raise ShellError(f"{name}: no module of this name in its Verilog")
    end = text.index("\nendmodule", header.end()) + 1
    before, body, after = text[: header.start()], text[header.end() : end], text[end:]
    body = _without_ports(body, {"clk", *(port for port in inputs), *(port for port in outputs)})
    assigns, declarations = [], []
    by_key = {key: port for ports in (inputs, outputs) for port, (key, _) in ports.items()}
    for child, module in cut.items():
        body, connections = _take_out(body, name, child, module)
        for port, expression in connections.items():
            outside = by_key.get((child, port))
            if outside is None:
                continue
            if outside in inputs:
                assigns.append(f"  assign {expression} = {outside};\n")
            else:
                assigns.append(f"  assign {outside} = {expression};\n")
    for word, ports in (("input", inputs), ("output", outputs)):
        for port, ((child, _), width) in ports.items():
            if child:
                declarations.append(f"  {word} wire [{width - 1}:0] {port};\n")
    names = ", ".join(["clk", *map(_escaped, [*inputs, *outputs])])
    return (
        f"{before}module {name}({names});\n{''.join(declarations)}{body}{''.join(assigns)}{after}"
    )


def _without_ports(body: str, kept: set[str]) -> str:
    """The body in which ports that are not ``kept`` are mere wires (declared as such anyway)."""

    def keep(match: re.Match[str]) -> str:
        return match[0] if _plain(match[1]) in kept else ""

    return _DECLARATION.sub(keep, body)


def _take_out(body: str, name: str, child: str, module: str) -> tuple[str, dict[str, str]]:
    """The body without an instance, and what was connected to its ports."""
    place = re.search(
        rf"^  {module} (?:{re.escape(child)}|\\{re.escape(child)} ) ?\(\n(.*?)\n  \);\n",
        body,
        re.MULTILINE | re.DOTALL,
    )
    if place is None:
        raise ShellError(f"{name}: no instance {child} of {module} in its Verilog")
    connections = {}
    for line in re.split(r",\n(?=    \.)", place[1]):
        match = _CONNECTION.match(line)
        if match is None:
            raise ShellError(f"{name}, {child}: cannot read the connection {line!r}")
        connections[_plain(match[1])] = match[2]
    return body[: place.start()] + body[place.end() :], connections


def _plain(name: str) -> str:
    return name.strip().removeprefix("\\")


def _escaped(name: str) -> str:
    return f"\\{name} "
