"""The module library: every distinct component becomes one Verilog module.

Amaranth elaborates each instance of a component anew, which makes large arrays slow to
emit and unreadable. A :class:`Block` therefore knows the parameters that make it distinct.
Parents add children with :func:`add_block`: under Amaranth's simulator the child is an
ordinary submodule, under a :class:`ModuleLibrary` (passed as ``platform``) it is a Verilog
instance of a module that the library converts once.
"""

import hashlib
import json
import re
from collections import Counter
from typing import Any

from amaranth.hdl import ClockSignal, Elaboratable, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from pydantic import BaseModel

KEEP = {"keep": 1}
"""Attributes that make synthesis keep a signal."""

MAXIMUM_NAME_LENGTH = 72
"""Longer module names carry a digest instead of every parameter."""


class Block(wiring.Component):
    """A component with named parameters and one clock domain, ``sync``.

    Parameters
    ----------
    signature: the component's typed signature (mapping of members), as for ``Component``.
    parameters: everything that makes two blocks of this class differ in their Verilog;
        numbers, strings, booleans or configuration sections.
    """

    def __init__(self, signature: Any, **parameters: Any) -> None:
        self.parameters: dict[str, Any] = {
            key: value.model_dump() if isinstance(value, BaseModel) else value
            for key, value in parameters.items()
        }
        super().__init__(signature)

    @property
    def module_name(self) -> str:
        """The Verilog module's name: class and parameters, or a digest of them if too long."""
        words = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        parts = [f"octopus_{words}"]
        flat = _flatten(self.parameters)
        parts += [f"{key}{value}" for key, value in flat.items()]
        name = re.sub(r"[^a-z0-9_]", "_", "_".join(parts).lower())
        if len(name) <= MAXIMUM_NAME_LENGTH:
            return name
        digest = hashlib.sha256(json.dumps(flat, sort_keys=True, default=str).encode())
        return f"octopus_{words}_{digest.hexdigest()[:8]}"


def only_if_set(**options: bool) -> dict[str, bool]:
    """Those of a block's options that are set: an option that is off names no other module."""
    return {name: value for name, value in options.items() if value}


def _flatten(parameters: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}_")
        else:
            flat[f"{prefix}{key}"] = int(value) if isinstance(value, bool) else value
    return flat


class ModuleLibrary:
    """The distinct blocks met while a hierarchy is converted, by module name."""

    def __init__(self) -> None:
        self.blocks: dict[str, Block] = {}
        self.instantiated: Counter[str] = Counter()
        """Names of the modules instantiated since this was last set anew."""

    def instance(self, block: Block) -> Instance:
        """A Verilog instance wired to the block's own ports; the block is noted for emission."""
        self.blocks.setdefault(block.module_name, block)
        self.instantiated[block.module_name] += 1
        mark_used(block)
        ports: dict[str, Any] = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for path, member, value in block.signature.flatten(block):
            side = "i" if member.flow == wiring.In else "o"
            ports[f"{side}_{'__'.join(str(part) for part in path)}"] = Value.cast(value)
        return Instance(block.module_name, **ports)


def mark_used(block: Block) -> None:
    """Keep Amaranth from warning that a block, or one it was made with, is never elaborated.

    Only the first block of a module is, and none if the module is known already.
    """
    block._MustUse__used = True  # type: ignore[attr-defined]
    for value in vars(block).values():
        if isinstance(value, Block):
            mark_used(value)


def add_block(module: Module, platform: Any, name: str, block: Block) -> None:
    """Add ``block`` to ``module`` as submodule ``name`` (see the module's docstring)."""
    child: Elaboratable | Instance = block
    if isinstance(platform, ModuleLibrary):
        child = platform.instance(block)
    module.submodules[name] = child
