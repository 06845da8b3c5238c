"""The model checkers: ABC's IC3/PDR for unbounded proofs, its SAT unrolling for search."""

import re
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

SETUP = "scleanup; dc2; scorr"
"""Before a proof: merges registers and wires that induction shows to be equal. If no register is
left the question is one for ``sat``, which answers for such circuits only."""


class Verdict(StrEnum):
    """What a model checker found out about an output."""

    NEVER = "never high"
    WITHIN = "not high within the depth"
    HIGH = "high"
    UNKNOWN = "undecided"


@dataclass(frozen=True)
class Finding:
    """The verdict on the output of a graph.

    Attributes
    ----------
    cycle: where the output is high (``HIGH``), else the last cycle looked at.
    clauses: size of the inductive invariant found (``NEVER``), 0 if none was needed.
    witness: for ``HIGH``: the inputs of each cycle, a character a bit, in the graph's order.
    """

    verdict: Verdict
    cycle: int = 0
    clauses: int = 0
    witness: tuple[str, ...] = ()


def prove(graph: Path, seconds: int) -> Finding:
    """Whether the output of ``graph`` can ever be high, whatever the number of cycles."""
    text = _run_abc(graph, f"{SETUP}; sat; pdr -T {seconds}", seconds)
    if re.search(r"^Property proved|^UNSATISFIABLE", text, re.MULTILINE):
        found = re.findall(r"invariant with (\d+) clauses", text)
        return Finding(Verdict.NEVER, clauses=int(found[-1]) if found else 0)
    return _counterexample(graph, text) or Finding(Verdict.UNKNOWN)


def search(graph: Path, depth: int, seconds: int) -> Finding:
    """Whether the output of ``graph`` can be high in one of the first ``depth`` cycles."""
    text = _run_abc(graph, f"bmc3 -F {depth} -T {seconds}", seconds)
    found = _counterexample(graph, text)
    if found:
        return found
    frames = [
        int(n) for n in re.findall(r"(?:No output asserted in|explored|depth) *:? *(\d+)", text)
    ]
    reached = max(frames, default=0)
    if reached >= depth or "does not depend" in text:
        return Finding(Verdict.WITHIN, depth)
    return Finding(Verdict.UNKNOWN, reached)


def _counterexample(graph: Path, text: str) -> Finding | None:
    asserted = re.search(r"was asserted in frame (\d+)", text)
    if not asserted:
        return None
    lines = graph.with_suffix(".witness").read_text().split("\n# DONE")[0].splitlines()
    steps = tuple(line for line in lines[1:] if line and line[0] in "01x")
    return Finding(Verdict.HIGH, int(asserted[1]), witness=steps)


def _run_abc(graph: Path, commands: str, seconds: int) -> str:
    witness = graph.with_suffix(".witness")
    witness.unlink(missing_ok=True)
    script = f"read_aiger {graph.name}; {commands}; write_cex -a {witness.name}"
    try:
        done = subprocess.run(
            [str(abc_path()), "-c", script],
            cwd=graph.parent,
            capture_output=True,
            text=True,
            timeout=4 * seconds + 30,
        )
    except subprocess.TimeoutExpired:
        return ""
    if "Wrong input file format" in done.stdout or done.returncode < 0:
        raise RuntimeError(f"ABC failed on {graph}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def abc_path() -> Path:
    """ABC, which comes with the package ``pyosys``.

    Raises:
        RuntimeError: the package is not installed.
    """
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise RuntimeError("pyosys is missing: install the PyPI package pyosys")
    return Path(spec.origin).with_name("yosys-abc")
