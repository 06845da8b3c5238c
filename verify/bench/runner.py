"""Builds a block with Verilator and runs a cocotb test module on it."""

import hashlib
import os
import random
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from cocotb_tools.runner import Verilator

from octopus.cache import cache_folder, exclusive
from octopus.hw.emit import emit, write
from octopus.hw.library import Block
from octopus.sim.toolchain import MAKE_VARIABLES, environment

BUILD_ARGUMENTS = (
    "-Wno-fatal",
    "-Wno-WIDTH",
    "-Wno-UNUSEDSIGNAL",
    "-Wno-DECLFILENAME",
    "-Wno-CASEINCOMPLETE",
    "-Wno-PROCASSINIT",
    "-O3",
)
"""Amaranth's Verilog needs the width warnings off. The C++ compiler is told nothing here: that
would hold also for the setting-up of signal tables, on which optimising takes minutes."""

OPTIMISE = "OPT_FAST=-O1"
"""Less than Verilator's default for what runs often: a bench spends most of its run in Python, and
the compiler needs about half of the time."""

PORTS_ONLY = ("--public-depth", "1")
"""What of the design a bench may touch: the toplevel's own signals."""


class PortRunner(Verilator):
    """cocotb's runner of Verilator, which would else make every signal of the design accessible.

    That forbids Verilator nearly all its optimisations: several times the C++, all of it slower.
    """

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        place = verilate.index("--public-flat-rw")
        return [[*verilate[:place], *PORTS_ONLY, *verilate[place + 1 :]], make]


def run_bench(
    block: Block,
    test_module: str,
    *,
    seed: int | None = None,
    extra_environment: dict[str, str] | None = None,
    waves: bool = False,
) -> Path:
    """Emit ``block``, build it once for its content, and run the cocotb tests on it.

    Parameters
    ----------
    block: the device under test; its module is the toplevel.
    test_module: dotted name of the Python module with the cocotb tests.
    seed: of all randomness; default ``OCTOPUS_SEED``, else drawn anew. It is printed.
    extra_environment: variables for the tests (strings), e.g. parameters of the block.
    waves: record an FST of the run, with every signal of the design.

    The tests can touch nothing but ports of ``block``.

    Returns:
        The folder of the run (results, waveform).

    Raises:
        AssertionError: a cocotb test failed or none ran; the message says how to replay.
        ToolchainError: a program that the build needs is missing.
    """
    modules = emit(block)
    top = modules[-1].name
    text = "".join(module.text for module in modules) + repr(
        (BUILD_ARGUMENTS, OPTIMISE, PORTS_ONLY, waves)
    )
    folder = cache_folder() / "bench" / f"{top}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if seed is None:
        seed = int(os.environ.get("OCTOPUS_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"{test_module} on {top}: seed {seed}, replay with OCTOPUS_SEED={seed}")
    tools = environment()
    os.environ.update({name: tools[name] for name in ("PATH", "VERILATOR_ROOT")})
    os.environ["MAKEFLAGS"] = f"{MAKE_VARIABLES} {OPTIMISE}"
    runner = PortRunner()
    with exclusive(folder):
        if not (folder / "built").exists():
            write(modules, folder / "verilog", {})
            runner.build(
                sources=[folder / "verilog" / f"{module.name}.v" for module in modules],
                hdl_toplevel=top,
                build_args=list(BUILD_ARGUMENTS),
                build_dir=folder / "build",
                waves=waves,
            )
            (folder / "built").touch()
    run = folder / f"run_{test_module.rsplit('.', 1)[-1]}_{os.getpid()}"
    results = runner.test(
        hdl_toplevel=top,
        hdl_toplevel_lang="verilog",
        test_module=test_module,
        build_dir=folder / "build",
        test_dir=run,
        seed=seed,
        extra_env={"OCTOPUS_SEED": str(seed), **(extra_environment or {})},
        waves=waves,
    )
    _check(results, seed)
    return run


def _check(results: Path, seed: int) -> None:
    """Fail with the names of failed tests, or if no test ran at all."""
    cases: list[Any] = list(ElementTree.parse(results).iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    failed += [case.get("name") for case in cases if case.find("error") is not None]
    assert cases, f"no cocotb test ran ({results})"
    assert not failed, f"failed: {', '.join(map(str, failed))}; replay with OCTOPUS_SEED={seed}"
