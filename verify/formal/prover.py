"""Proves properties, keeps what was found by content, and replays counterexamples."""

import hashlib
import json
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.sim import Simulator

from octopus.cache import cache_folder, exclusive

from . import engine, netlist
from . import property as formal_property
from .engine import Finding, Verdict
from .netlist import netlist_of, read_map, write_defects, write_graphs
from .property import Property

DEFAULT_SECONDS = 120
DEFECT_SECONDS = 20
DEFECT_ROUNDS = 4
SEED = 1


@dataclass(frozen=True)
class Result:
    """What is known of a property.

    Attributes
    ----------
    status: ``proven`` (for every number of cycles), ``bounded`` (for ``depth`` cycles),
        ``refuted`` (there is a counterexample), ``undecided``.
    depth: of a bounded check or a counterexample. clauses: of the inductive invariant.
    covers: for each cover the cycle that reaches it, None if none was found.
    caught: defects put into the block that break the property, of ``defects`` tried.
    failed: requirements that the counterexample breaks. trace: its waveform (VCD).
    seconds: taken when it was found (not when it comes from the cache).
    """

    name: str
    claim: str
    status: str
    depth: int = 0
    clauses: int = 0
    covers: dict[str, int | None] = field(default_factory=dict)
    caught: int = 0
    defects: int = 0
    failed: tuple[str, ...] = ()
    trace: str = ""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Proven (or checked as far as the property asks for), and the proof could have failed:
        every cover is reached and, if defects were put in, some of them are caught."""
        covered = all(cycle is not None for cycle in self.covers.values())
        caught = self.caught > 0 or self.defects == 0
        return self.status in ("proven", "bounded") and covered and caught


def check(
    item: Property, defects: int = 0, seconds: int = DEFAULT_SECONDS, folder: Path | None = None
) -> Result:
    """Prove ``item``, reach its covers and put ``defects`` defects into its block.

    Results are kept in the cache by the content of the circuit and of this harness.

    Parameters
    ----------
    defects: how many defects to try, each of which breaks the block in some way; it is not
        expected that all of them break this property.
    seconds: for the proof itself. folder: where a counterexample's waveform goes.

    Raises:
        RuntimeError: Yosys or ABC failed.
    """
    circuit = netlist_of(item)
    key = _digest(circuit.text, item, defects, seconds)
    kept = cache_folder() / "formal" / key[:2] / f"{key}.json"
    with exclusive(kept):
        if kept.exists():
            return _from_json(kept.read_text())
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as name:
            result = _find_out(item, circuit, defects, seconds, Path(name), folder)
        result = replace(result, seconds=time.monotonic() - begin)
        if result.status in ("proven", "bounded"):
            kept.write_text(json.dumps(asdict(result)))
        return result


def _find_out(
    item: Property,
    circuit: netlist.Netlist,
    defects: int,
    seconds: int,
    work: Path,
    folder: Path | None,
) -> Result:
    write_graphs(circuit, work)
    result = Result(item.name, item.claim, "undecided")
    if item.bounded is None:
        finding = engine.prove(work / "bad.aig", seconds)
    else:
        finding = engine.search(work / "bad.aig", item.bounded, seconds)
    if finding.verdict is Verdict.HIGH:
        failed, trace = replay(item, read_map(work / "bad.map"), finding, folder)
        return replace(
            result, status="refuted", depth=finding.cycle + 1, failed=failed, trace=str(trace)
        )
    status = {Verdict.NEVER: "proven", Verdict.WITHIN: "bounded"}.get(finding.verdict, "undecided")
    covers = {}
    for i, name in enumerate(circuit.covers):
        found = engine.search(work / f"reached{i}.aig", item.depth, seconds)
        covers[name] = found.cycle if found.verdict is Verdict.HIGH else None
    caught, tried = _try_defects(item, circuit, defects, work)
    return replace(
        result,
        status=status,
        depth=finding.cycle if status == "bounded" else 0,
        clauses=finding.clauses,
        covers=covers,
        caught=caught,
        defects=tried,
    )


def _try_defects(
    item: Property, circuit: netlist.Netlist, count: int, work: Path
) -> tuple[int, int]:
    """How many defects break the property, of how many tried: ``count``, and as many again (with
    other seeds) as long as none does."""
    caught = tried = 0
    for seed in range(SEED, SEED + DEFECT_ROUNDS):
        if caught or not count:
            break
        names = write_defects(circuit, work, count, seed)
        tried += len(names)
        for i in range(len(names)):
            found = engine.search(work / f"defect{i}.aig", item.depth, DEFECT_SECONDS)
            caught += found.verdict is Verdict.HIGH
    return caught, tried or count  # nothing of the block to break: none is caught


def replay(
    item: Property, inputs: dict[int, tuple[str, int]], finding: Finding, folder: Path | None
) -> tuple[tuple[str, ...], Path]:
    """Play a counterexample in Amaranth's simulator, which knows nothing of Yosys and ABC.

    Returns:
        The requirements that fail in its last cycle, and the waveform's path.

    Raises:
        RuntimeError: nothing fails: the tools disagree about the circuit.
    """
    target = folder or cache_folder() / "formal" / "traces"
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{_safe(item.name)}.vcd"
    failed: list[str] = []
    fresh = type(item)(**item.parameters)

    async def play(context: Any) -> None:
        for number, step in enumerate(finding.witness):
            values: dict[str, int] = dict.fromkeys(fresh.inputs, 0)
            for place, (name, bit) in inputs.items():
                if name in values and step[place] == "1":
                    values[name] |= 1 << bit
            for name, value in values.items():
                context.set(fresh.inputs[name], value)
            await context.delay(1e-7)  # the clock rises in the middle of a step
            if number == len(finding.witness) - 1:
                bits = context.get(fresh.failing)
                failed.extend(r.name for i, r in enumerate(fresh.requirements) if bits >> i & 1)
                return
            await context.tick()

    simulator = Simulator(fresh.circuit())
    simulator.add_clock(1e-6)
    simulator.add_testbench(play)
    with simulator.write_vcd(str(path)):
        simulator.run()
    if not failed:
        raise RuntimeError(f"{item.name}: the counterexample does not fail when simulated: {path}")
    return tuple(failed), path


def _digest(text: str, item: Property, defects: int, seconds: int) -> str:
    sources = "".join(
        Path(module.__file__ or "").read_text() for module in (engine, netlist, formal_property)
    )
    facts = (text, sources, item.depth, item.bounded, item.claim, defects, version("pyosys"))
    return hashlib.sha256(repr((*facts, seconds)).encode()).hexdigest()


def _from_json(text: str) -> Result:
    fields = json.loads(text)
    return Result(**(fields | {"failed": tuple(fields["failed"])}))


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)
