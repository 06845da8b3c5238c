"""Reset: what it does not clear is known, and without initial values nothing stays unknown."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from octopus.hw.chip import Chip
from octopus.hw.config import OctopusConfig
from octopus.hw.emit import EmittedModule, emit
from octopus.hw.layouts.space import CONFIGURATION_BIT, ConfigurationRegion
from octopus.hw.unreset import KEPT, RESET_CYCLES, Reason, find_unreset, markdown, reason_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "reset.md"
CONFIG = OctopusConfig.load("tiny")

_INITIAL = re.compile(r"^(  reg (?:\[[^]]*\] )?(?:\\\S+  ?|\w+ ))= [^;]*;", re.MULTILINE)
_CLEARING = re.compile(r"^  initial for .*\n    .*;\n", re.MULTILINE)
_PORT = re.compile(r"^  (input|output) (\[\d+:0\] )?(\w+);$", re.MULTILINE)

BENCH = """
module bench;
{declarations}
  octopus_chip_tiny dut({connections});
  always #5 clk = ~clk;
  task look;
    begin
{checks}
      @(negedge clk);
    end
  endtask
  task read(input [31:0] address);
    begin
      axi__araddr = address; axi__arvalid = 1;
      while (!axi__arready) look;
      look;
      axi__arvalid = 0; axi__rready = 1;
      while (!axi__rvalid) look;
      if (axi__rdata !== 0 || axi__rresp !== 0)
        $display("%h is %h, answer %h", address, axi__rdata, axi__rresp);
      look;
    end
  endtask
  integer i, j;
  initial begin
    clk = 0; rst = 1;
{inputs}
    axi__arsize = 2; axi__arburst = 1; axi__bready = 1;
    repeat ({reset_cycles}) @(negedge clk);
    rst = 0;
    for (i = 0; i < {blocks}; i = i + 1) begin
      for (j = 0; j < 8; j = j + 1) read({statistics} + 32 * i + 4 * j);
      read({table} + 32 * i);
    end
    repeat (20) look;
    $display("end");
    $finish;
  end
endmodule
"""


@pytest.fixture(scope="module")
def modules() -> list[EmittedModule]:
    return emit(Chip(CONFIG))


def _bench(top: str) -> str:
    ports = _PORT.findall(top)
    assert len(ports) > 50
    outputs = [name for direction, _, name in ports if direction == "output"]
    inputs = [name for direction, _, name in ports if direction == "input"]
    kinds = {"input": "reg", "output": "wire"}
    unknown = '      if (^{0} === 1\'bx) $display("{0} is %b", {0});'
    return BENCH.format(
        declarations="\n".join(f"  {kinds[side]} {width}{name};" for side, width, name in ports),
        connections=", ".join(f".{name}({name})" for _, _, name in ports),
        checks="\n".join(unknown.format(name) for name in outputs),
        inputs="\n".join(f"    {name} = 0;" for name in inputs if name not in ("clk", "rst")),
        reset_cycles=RESET_CYCLES,
        blocks=CONFIG.control_block_unit.blocks,
        statistics=(1 << CONFIGURATION_BIT) + ConfigurationRegion.STATISTICS,
        table=(1 << CONFIGURATION_BIT) + ConfigurationRegion.BLOCK_TABLE,
    )


@pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog (package iverilog)")
@pytest.mark.parametrize("standard", ["2005", "2012"])
@pytest.mark.parametrize("initial", [True, False], ids=["initial values", "none"])
def test_no_output_is_unknown_after_reset(
    tmp_path: Path, modules: list[EmittedModule], standard: str, initial: bool
) -> None:
    """Under both standards' rules, with initial values or without: not even a statistic."""
    for module in modules:
        text, kept = module.text, module.text
        if not initial:
            text = _CLEARING.sub("", _INITIAL.sub(r"\1;", kept))
        (tmp_path / f"{module.name}.v").write_text(text)
    (tmp_path / "bench.v").write_text(_bench(modules[-1].text))
    files = ["bench.v", *(f"{module.name}.v" for module in modules)]
    subprocess.run(["iverilog", f"-g{standard}", "-o", "bench", *files], cwd=tmp_path, check=True)
    shown = subprocess.run(["vvp", "-n", "bench"], cwd=tmp_path, capture_output=True, text=True)
    assert shown.stdout.split("\n") == ["end", ""]


def test_initial_values_can_be_taken_away(modules: list[EmittedModule]) -> None:
    """What the test above relies on: there are such values, and none is left."""
    for module in modules:
        stripped = _CLEARING.sub("", _INITIAL.sub(r"\1;", module.text))
        assert not re.search(r"^  (?:output )?reg .*=|initial for", stripped, re.MULTILINE)
    assert sum(len(_INITIAL.findall(module.text)) for module in modules) > 500


def test_everything_that_survives_a_reset_has_a_reason() -> None:
    long_links = CONFIG.model_dump()
    long_links["mesh"]["columns"] = 2
    long_links["control_network"]["link_latency"] = 3
    states = find_unreset(Chip(OctopusConfig(**long_links)))
    assert [state for state in states if reason_of(state) is None] == []
    found = {reason_of(state) for state in states}
    assert set(KEPT.values()) == found, "a reason for something that does not exist"
    assert {reason for reason, _ in KEPT.values()} == set(Reason)


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == markdown()
