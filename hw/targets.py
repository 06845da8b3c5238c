"""What the Verilog is for: how its memories are marked for the tools of a technology.

Blocks mark memories where the choice matters for speed with ``ram_style``, ``"distributed"`` or
``"block"``, which Yosys, Vivado and Gowin's tools read. Others have other words, or no such memory.
"""

import re
from dataclasses import dataclass

_STYLE = re.compile(r'^  \(\* ram_style = "(?P<style>\w+)" \*\)\n', re.MULTILINE)


class TargetError(ValueError):
    """There is no such target; the message names those there are."""


@dataclass(frozen=True)
class Target:
    """A technology.

    Attributes
    ----------
    attribute: with which its tools are told of a memory's style; empty: not at all.
    styles: the words for small memories with an asynchronous port and for block RAM.
    """

    attribute: str = "ram_style"
    styles: tuple[str, str] = ("distributed", "block")

    def mark(self, text: str) -> str:
        """Emitted Verilog with memories marked for this technology."""

        def marked(match: re.Match[str]) -> str:
            if not self.attribute:
                return ""
            small, large = self.styles
            style = small if match["style"] == "distributed" else large
            return f'  (* {self.attribute} = "{style}" *)\n'

        return _STYLE.sub(marked, text)


_UNMARKED = Target("", ("", ""))

TARGETS = {
    "generic": Target(),
    "ecp5": Target(),
    "gowin": Target(),
    "xilinx": Target(),
    "intel": Target("ramstyle", ("MLAB", "M10K")),
    "ice40": _UNMARKED,  # block RAM only; what does not fit into it becomes flip-flops
    "asic": _UNMARKED,
}
"""Targets by name. ``generic`` leaves the marks as blocks set them."""


def find_target(name: str) -> Target:
    """The target of a name.

    Raises:
        TargetError: there is none.
    """
    if name not in TARGETS:
        raise TargetError(f"--target is {name!r}; allowed: {', '.join(TARGETS)}")
    return TARGETS[name]
