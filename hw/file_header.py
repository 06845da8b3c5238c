"""The comment that begins each emitted file: what the module is, its parameters and its ports."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from amaranth.hdl import Value
from amaranth.lib import wiring

from .library import Block

DISTRIBUTION = "octopus-accelerator"
LICENCE = "Apache-2.0"
WIDTH = 100
_SECTION = re.compile(r"^(\w[\w ]*)\n-+\n", re.MULTILINE)
_WAY = re.compile(r"^(?:[Ii]n|[Oo]ut)(?:, |$)")
"""Which way a port goes is known better from the signature."""
_ENTRY = re.compile(r"^(?P<names>[\w*.,\[\] ]+?)(?: \((?P<way>[^)]*)\))?: (?P<text>.*)$")


def file_header(block: Block) -> str:
    """The comment for the module of ``block``."""
    summary, sections = _sections(inspect.getdoc(type(block)) or "")
    lines = [
        block.module_name,
        *_wrapped(summary, ""),
        "",
        f"Octopus {version(DISTRIBUTION)}, generated; SPDX-License-Identifier: {LICENCE}",
    ]
    if block.parameters:
        lines += ["", "Parameters"]
        for name, value in _flat(block.parameters):
            lines += _wrapped(f"{name} = {value}", "  ")
    lines += ["", "Ports"]
    told = dict(_entries(sections.get("Ports", "")))
    for name, what in _ports(block):
        text = _WAY.sub("", told.get(name, "")).rstrip(";.")
        lines += _wrapped(f"{name} ({what})" + (f": {text}" if text else ""), "  ")
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n"


def _ports(block: Block) -> Iterator[tuple[str, str]]:
    """Name of each member of the signature, with direction and bits; clock and reset first."""
    yield "clk", "in, 1"
    yield "rst", "in, 1"
    members: dict[str, list[tuple[bool, int]]] = {}
    for path, member, value in block.signature.flatten(block):
        bits = len(Value.cast(value))
        members.setdefault(str(path[0]), []).append((member.flow == wiring.In, bits))
    for name, signals in members.items():
        ways = {inward for inward, _ in signals}
        if len(signals) == 1:
            yield name, f"{'in' if True in ways else 'out'}, {signals[0][1]}"
        else:
            total = sum(bits for _, bits in signals)
            way = "in and out" if len(ways) > 1 else "in" if True in ways else "out"
            yield name, f"{way}, {len(signals)} signals {name}__*, {total} bits"


def _sections(document: str) -> tuple[str, dict[str, str]]:
    """The first paragraph of a docstring, and its underlined sections by title."""
    parts = _SECTION.split(document)
    titled = dict(zip(parts[1::2], parts[2::2], strict=True))
    return parts[0].split("\n\n")[0], titled


def _entries(section: str) -> Iterator[tuple[str, str]]:
    """Each name that a section explains, with the first sentence of what it says."""
    for paragraph in re.split(r"\n(?! )", section.split("\n\n")[0]):
        for part in _clauses(" ".join(paragraph.split())):
            match = _ENTRY.match(part)
            if match:
                for name in match["names"].split(","):
                    yield name.strip().split("[")[0], match["text"]


def _clauses(line: str) -> list[str]:
    """``a: In, this. b: Out, that.`` as its entries."""
    return re.split(r"(?<=[.;]) (?=[\w*, ]+(?: \([^)]*\))?: )", line)


def _flat(parameters: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in parameters.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _wrapped(text: str, indent: str) -> list[str]:
    plain = " ".join(text.replace("``", "").split())
    return textwrap.wrap(
        plain, WIDTH - 3, initial_indent=indent, subsequent_indent=f"{indent}    "
    ) or [""]
