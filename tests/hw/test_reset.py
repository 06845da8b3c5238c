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
from octopus.hw.library import mark_used
from octopus.hw.unreset import KEPT, RESET_CYCLES, Reason, find_unreset, markdown, reason_of
from octopus.hw.wrapper import PortNames, wrap, wrapper_ports

DOCUMENT = Path(__file__).parents[2] / "docs" / "reset.md"
CONFIG = OctopusConfig.load("tiny")

_INITIAL = re.compile(r"^(  reg (?:\[[^]]*\] )?(?:\\\S+  ?|\w+ ))= [^;]*;", re.MULTILINE)
_CLEARING = re.compile(r"^  initial for .*\n    .*;\n", re.MULTILINE)

BENCH = """
module bench;
{declarations}
  octopus_tiny dut({connections});
  always #5 aclk = ~aclk;
  task look;
    begin
{checks}
      @(negedge aclk);
    end
  endtask
  task read(input [31:0] address);
    begin
      s_axi_araddr = address; s_axi_arvalid = 1;
      while (!s_axi_arready) look;
      look;
      s_axi_arvalid = 0; s_axi_rready = 1;
      while (!s_axi_rvalid) look;
      if (s_axi_rdata !== 0 || s_axi_rresp !== 0)
        $display("%h is %h, answer %h", address, s_axi_rdata, s_axi_rresp);
      look;
    end
  endtask
  integer i, j;
  initial begin
    aclk = 0; aresetn = 0;
{inputs}
    s_axi_arsize = 2; s_axi_arburst = 1; s_axi_bready = 1;
    repeat ({reset_cycles}) @(negedge aclk);
    aresetn = 1;
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
    chip = Chip(CONFIG)
    emitted = emit(chip)
    return [*emitted, wrap(chip, emitted, PortNames())]


def _bench() -> str:
    chip = Chip(CONFIG)
    mark_used(chip)
    ports = wrapper_ports(chip, PortNames())
    kinds = {"input": "reg", "output": "wire"}
    outputs = [port.name for port in ports if port.way == "output"]
    inputs = [port.name for port in ports[2:] if port.way == "input"]
    assert len(inputs) > 30 and len(outputs) > 15
    unknown = '      if (^{0} === 1\'bx) $display("{0} is %b", {0});'
    return BENCH.format(
        declarations="\n".join(
            f"  {kinds[port.way]} [{port.bits - 1}:0] {port.name};" for port in ports
        ),
        connections=", ".join(f".{port.name}({port.name})" for port in ports),
        checks="\n".join(unknown.format(name) for name in outputs),
        inputs="\n".join(f"    {name} = 0;" for name in inputs),
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
    (tmp_path / "bench.v").write_text(_bench())
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
