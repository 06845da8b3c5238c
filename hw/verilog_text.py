"""What Yosys writes, as Verilog that simulators of either standard and people read alike."""

import re
from itertools import count

_MODULE = re.compile(
    r"^(?:\(\*.*?\*\)\n)*module (\\\S+ |\w+).*?^endmodule\n", re.MULTILINE | re.DOTALL
)
_MEMORY = re.compile(
    r"^  reg (?:\[(?P<high>\d+):0\] )?(?P<name>\\\S+ |\w+ ?)\[(?P<last>\d+):0\];\n", re.MULTILINE
)
_INITIAL = re.compile(r"^  initial begin\n    (\\\S+ |\w+)\[", re.MULTILINE)
_TRIGGER = re.compile(r"^  reg (?P<name>\\\$auto\$verilog_backend\S+)  = 0;\n", re.MULTILINE)
_NEXT = re.compile(
    r"^  always @\(posedge clk\)\n    (?P<register>\\\S+ |\w+) *<= (?P<value>\\\$\d+) ;\n", re.M
)
_NUMBERED = re.compile(r"\\\$\d+ ")
_IDENTIFIER = re.compile(r"\\\S+|\w+")

TRIGGER = "time_zero"
"""Name of the signal that makes combinational blocks run at the beginning of a simulation."""


def split(verilog: str) -> dict[str, str]:
    """The text of each module by its name; helpers, ``OWNER.NAME``, are with their owner's."""
    texts: dict[str, list[str]] = {}
    for match in _MODULE.finditer(verilog):
        owner = match.group(1).strip().removeprefix("\\").split(".")[0]
        texts.setdefault(owner, []).append(_improve(match[0]) + "\n")
    return {name: "".join(parts) for name, parts in texts.items()}


def wrap_file(header: str, text: str) -> str:
    """A file: its header, and modules in which no misspelt name becomes a wire."""
    return f"{header}`default_nettype none\n\n{text.rstrip()}\n\n`default_nettype wire\n"


def _improve(module: str) -> str:
    return _name_next_values(_start_once(_clear_memories(module)))


def _clear_memories(module: str) -> str:
    """Memories whose content nobody gave begin as zero, in a loop: a line a word takes tools long.

    (The converter is not told of the zeros, for it would handle each bit of them.)
    """
    given = {match[1].strip() for match in _INITIAL.finditer(module)}

    def cleared(match: re.Match[str]) -> str:
        name = match["name"].strip()
        if name in given:
            return match[0]
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name).strip("_")
        index, words, bits = f"{plain}_word", int(match["last"]) + 1, int(match["high"] or 0) + 1
        end = " " if name.startswith("\\") else ""
        return (
            f"{match[0]}"
            f"  integer {index};\n"
            f"  initial for ({index} = 0; {index} < {words}; {index} = {index} + 1)\n"
            f"    {name}{end}[{index}] = {bits}'h0;\n"
        )

    return _MEMORY.sub(cleared, module)


def _start_once(module: str) -> str:
    """Combinational blocks run at time zero also if nothing that they read ever changes.

    The initial value of a declaration is an event under the rules of Verilog, not under those of
    SystemVerilog. An assignment after all blocks have begun to wait is one under both.
    """
    match = _TRIGGER.search(module)
    if not match:
        return module
    declared = f"  reg {TRIGGER};\n  initial {TRIGGER} <= 1'b0;\n"
    body = module.replace(match[0], declared, 1)
    return body.replace(f"if ({match['name']} ) begin end", f"if ({TRIGGER}) begin end")


def _name_next_values(module: str) -> str:
    """What a register takes over is called after the register."""
    names: dict[str, str] = {}
    taken = set(_IDENTIFIER.findall(module))
    for match in _NEXT.finditer(module):
        register = match["register"].strip().removeprefix("\\")
        stem = register.replace("$", "_")
        stem = stem if re.fullmatch(r"\w+", stem) else f"\\{stem}"
        name = next(
            name for name in (f"{stem}_next{'_value' * times}" for times in count())
            if name not in taken
        )  # fmt: skip
        taken.add(name)
        names[f"{match['value']} "] = f"{name} "
    return _NUMBERED.sub(lambda match: names.get(match[0], match[0]), module)
