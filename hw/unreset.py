"""What a reset does not clear: every memory and every register without reset, and why that is safe.

``octopus emit``'s Verilog gives memories and registers the value zero at the beginning, as FPGAs
do. Nothing relies on it: on an ASIC they may begin as anything, and after a reset in flight
memories hold what they held. ``docs/reset.md`` is made of this table.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Fragment
from amaranth.hdl._mem import MemoryInstance

from .convert import elaborate
from .library import Block, ModuleLibrary


class Reason(enum.Enum):
    """Why nobody sees what a memory or register held before the reset."""

    SWEPT = "cleared after reset by the block itself; what would read it waits"
    QUEUE = "read only where it was written since reset: the places in use are registers with reset"
    VALID = "travels with a valid bit that is reset, and counts only with it"
    WRITTEN = "a bit with reset tells what was written since; the rest counts as zero"
    LOADED = "the hardware loads it before it uses it"
    HOST = "the host writes it before it is used"


KEPT: dict[tuple[str, str], tuple[Reason, str]] = {
    ("AddressCheck", "queue.storage"): (Reason.QUEUE, "addresses of the host that wait"),
    ("Arithmetic", "carried"): (Reason.VALID, "operands between pipeline stages"),
    ("BurstServer", "responses.storage"): (Reason.QUEUE, "answers that wait"),
    ("CompletionQueue", "tokens"): (Reason.QUEUE, "tokens for the host"),
    ("ConfigurationTables", "block_table"): (
        Reason.SWEPT,
        "in `blocks` cycles: a block that was not written is INVALID and faults",
    ),
    ("ConfigurationTables", "successor_table"): (
        Reason.HOST,
        "entries are read only for a block whose entry the host wrote, after the successors'",
    ),
    ("ContextStore", "storage"): (Reason.LOADED, "instructions of the kernel that is loaded"),
    ("DispatchQueue", "queue.storage"): (Reason.QUEUE, "tasks that wait"),
    ("EdgeDemand", "storage"): (Reason.LOADED, "with the instructions"),
    ("EventCounts", "counts"): (Reason.SWEPT, "each count begins at zero in its first turn"),
    ("FiringQueue", "memory"): (Reason.QUEUE, "firings that wait"),
    ("InputPort", "flits_*"): (Reason.QUEUE, "flits that wait"),
    ("InputPort", "notes_*"): (Reason.QUEUE, "routes of packets that wait"),
    ("InputStream", "queue.storage"): (Reason.QUEUE, "words that wait"),
    ("InstancePopulation", "evaluated_counts"): (Reason.SWEPT, "in `instances` cycles"),
    ("InstancePopulation", "walked_counts"): (Reason.SWEPT, "in `instances` cycles"),
    ("LinkPipeline", "flit_*"): (Reason.VALID, "flits on a long link"),
    ("MemoryBank", "storage"): (
        Reason.HOST,
        "the cluster's memory: a word read before it was written may have wrong parity. A "
        "descriptor's buffer is loaded, and the scratchpad swept, before a task sees them",
    ),
    ("MemoryMultiplexer", "owners.storage"): (Reason.QUEUE, "who asked for what is under way"),
    ("NetworkEndpoint", "flits_*"): (Reason.QUEUE, "flits that wait"),
    ("OutputDma", "queue.storage"): (Reason.QUEUE, "words that wait"),
    ("OutputPort", "candidate_*"): (Reason.VALID, "flits that leave"),
    ("OutputStream", "queue.storage"): (Reason.QUEUE, "words that wait"),
    ("ProcessingElement", "carried"): (Reason.VALID, "operands between pipeline stages"),
    ("RegisterFile", "storage"): (Reason.WRITTEN, "a PE's registers"),
    ("StatisticsTable", "memory"): (Reason.SWEPT, "in `blocks` cycles, with the block table"),
    ("SuccessorWalker", "suspended"): (Reason.QUEUE, "firings that were put aside"),
    ("TaskBacklog", "fifo.storage"): (Reason.QUEUE, "tasks that wait"),
    ("TaskWindow", "tasks"): (Reason.QUEUE, "tasks to choose from"),
    ("TokenCounter", "sent_counts"): (Reason.SWEPT, "in `instances` cycles"),
    ("TokenCounter", "taken_counts"): (Reason.SWEPT, "in `instances` cycles"),
    ("TokenQueue", "queue.storage"): (Reason.QUEUE, "tokens that wait"),
    ("TokenStore", "memory"): (Reason.SWEPT, "in `blocks` x `instances` cycles; tokens wait"),
    ("TransferEngine", "rows.storage"): (Reason.QUEUE, "rows of a transfer that wait"),
    ("WindowWrite", "words"): (Reason.QUEUE, "words of the host's burst"),
    ("WriteGate", "verdicts.storage"): (Reason.QUEUE, "verdicts on writes under way"),
}
"""Reason and what it holds, by class of the block and name inside (``*`` stands for a number)."""


@dataclass(frozen=True, order=True)
class Unreset:
    """A memory or register that a reset does not clear.

    Attributes
    ----------
    block: class of the block. name: its place inside. memory: whether it is one.
    """

    block: str
    name: str
    memory: bool


def find_unreset(top: Block) -> set[Unreset]:
    """Every memory and every register without reset of ``top`` and of all blocks below it."""
    library = ModuleLibrary()
    library.blocks[top.module_name] = top
    found: set[Unreset] = set()
    done: set[str] = set()
    while waiting := [name for name in library.blocks if name not in done]:
        for name in waiting:
            done.add(name)
            fragment, _ = elaborate(library.blocks[name], library)
            kind = type(library.blocks[name]).__name__
            found |= {Unreset(kind, *state) for state in _states(fragment, "")}
    return found


def reason_of(state: Unreset) -> tuple[Reason, str] | None:
    """Why a state may survive a reset; None if nobody has thought of it."""
    stem, _, last = state.name.rpartition("_")
    name = f"{stem}_*" if last.isdigit() else state.name
    return KEPT.get((state.block, name))


def _states(fragment: Fragment, path: str) -> Iterator[tuple[str, bool]]:
    if isinstance(fragment, MemoryInstance):
        yield path, True
        return
    for domain, statements in fragment.statements.items():
        if domain != "comb":
            for statement in statements:
                for signal in statement._lhs_signals():
                    if signal.reset_less:
                        yield f"{path}.{signal.name}".lstrip("."), False
    for below, name, *_ in fragment.subfragments:
        yield from _states(below, f"{path}.{name}".lstrip("."))


def markdown() -> str:
    """``docs/reset.md``."""
    lines = [
        "# Reset",
        "",
        "Generated by `scripts/unreset_state.py` from `hw/unreset.py`; not to be edited.",
        "",
        "`rst` is synchronous and active high; hold it for at least "
        f"{RESET_CYCLES} rising edges of `clk`. After it every register has its initial value, and "
        "no output is unknown, whether the technology gives registers and memories an initial "
        "value or not. Tokens wait while tables are swept; the host need not.",
        "",
        "These are all memories and registers that a reset does not clear:",
        "",
        "| block | state | what it is | why it may survive a reset |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{block}` | `{name}` | {what} | {reason.name}: {reason.value} |"
        for (block, name), (reason, what) in KEPT.items()
    ]
    return "\n".join([*lines, ""])


RESET_CYCLES = 4
"""Rising edges of the clock for which reset is to be held."""
