"""What comes with the Verilog of a chip: wrapper, core file, constraints, headers, targets."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from systemrdl import RDLCompiler

from octopus.hw.chip import Chip
from octopus.hw.config import OctopusConfig
from octopus.hw.emit import EmittedModule, emit, write
from octopus.hw.emitted_folder import EmissionError, check_folder, read_manifest
from octopus.hw.host.register_exports import svd, system_rdl
from octopus.hw.host.register_map import Access
from octopus.hw.host.registers import REGISTERS
from octopus.hw.package_files import package_files
from octopus.hw.pea.edge_demand import EdgeDemand
from octopus.hw.targets import TARGETS, TargetError, find_target
from octopus.hw.wrapper import PortNameError, PortNames, wrap, wrapper_ports
from octopus.sim.lint import WAIVERS
from octopus.sim.toolchain import environment, verilator_root

CONFIG = OctopusConfig.load("tiny")
TOP = "octopus_tiny"

YOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.argv[1].split(";"):
    libyosys.run_pass(line.strip(), design)
"""


@pytest.fixture(scope="module")
def chip() -> Chip:
    return Chip(CONFIG)


@pytest.fixture(scope="module")
def modules(chip: Chip) -> list[EmittedModule]:
    emitted = emit(chip)
    return [*emitted, wrap(chip, emitted, PortNames())]


@pytest.fixture
def folder(tmp_path: Path, chip: Chip, modules: list[EmittedModule]) -> Path:
    out = tmp_path / "out"
    others = package_files(chip, modules, PortNames(), 125.0)
    write(modules, out, CONFIG.model_dump(), others=others)
    return out


def test_the_folder_is_known_and_can_be_written_again(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None and manifest.top == TOP
    assert set(manifest.owned()) | {"manifest.json"} == {path.name for path in folder.iterdir()}
    check_folder(folder)
    (folder / f"{TOP}.sdc").write_text("mine")
    with pytest.raises(EmissionError, match=r"octopus_tiny\.sdc.*--force"):
        check_folder(folder)


@pytest.mark.parametrize(("option", "file"), [("-F", "filelist.f"), ("-f", "filelist_absolute.f")])
def test_the_file_lists_work_from_anywhere(folder: Path, tmp_path, option, file) -> None:
    """Also a wrapper that lacks a port, or has one too many, would be found here."""
    verilator = str(verilator_root() / "bin" / "verilator")
    command = [verilator, "--lint-only", "-Wall", str(WAIVERS), "--top-module", TOP]
    command += [option, str(folder / file)]
    subprocess.run(command, cwd=tmp_path, env=environment(), check=True, capture_output=True)


def test_ports_have_the_names_that_were_asked_for(chip: Chip, modules) -> None:
    names = [port.name for port in wrapper_ports(chip, PortNames())]
    assert {"aclk", "aresetn", "irq", "s_axi_awaddr", "s_axil_rdata"} <= set(names)
    assert not [name for name in names if "activity" in name]
    own = PortNames.parse(["clock=clk", "reset=rst_n", "window=m0"])
    text = wrap(chip, modules[:-1], own).text
    assert (
        "input wire clk,\n" in text and ".rst(!rst_n)" in text and ".axi__wdata(m0_wdata)" in text
    )
    for wrong, message in (
        ("clock", r"--port is 'clock'; allowed: clock=NAME"),
        ("memory=x", "allowed: clock=NAME"),
        ("clock=a b", "port is 'a b'"),
        ("clock=irq", "each name once"),
        ("window=s_axil", "each name once"),
    ):
        with pytest.raises(PortNameError, match=message):
            PortNames.parse([wrong])
    with pytest.raises(PortNameError, match="two ports are 's_axi_wdata'"):
        wrap(chip, modules[:-1], PortNames(interrupt="s_axi_wdata"))
    with pytest.raises(PortNameError, match="a module of the chip"):
        wrap(chip, [EmittedModule(TOP, "", {}, 1)], PortNames())


def test_files_begin_with_what_they_are(modules: list[EmittedModule]) -> None:
    for module in modules:
        assert module.text.startswith(f"// {module.name}")
        assert "SPDX-License-Identifier: Apache-2.0" in module.text
        assert module.text.count("`default_nettype none") == 1
        assert module.text.endswith("`default_nettype wire\n")
    (store,) = (module for module in modules if module.name.startswith("octopus_token_store"))
    assert f"//   instances = {CONFIG.control_block_unit.instances}\n" in store.text
    assert "//   swept (out, 1): that is done\n" in store.text


def test_next_values_are_called_after_their_registers(modules: list[EmittedModule]) -> None:
    numbered = re.compile(r"^    \S+ +<= \\\$\d+ ;$", re.MULTILINE)
    assert [module.name for module in modules if numbered.search(module.text)] == []


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_fusesoc_lints_the_core(folder: Path, tmp_path: Path) -> None:
    fusesoc = Path(sys.executable).with_name("fusesoc")
    command = [fusesoc, "--cores-root", folder, "run", "--target=lint"]
    tools = environment()
    tools["PATH"] = f"{verilator_root() / 'bin'}:{tools['PATH']}"
    done = subprocess.run(
        [*command, f"octopus-accelerator:chip:{TOP}"],
        cwd=tmp_path,
        env=tools,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (list_,) = tmp_path.rglob("*.vc")
    assert f"{TOP}.v" in list_.read_text() and f"--top-module {TOP}" in list_.read_text()


def test_constraints_have_the_clock(folder: Path) -> None:
    assert "create_clock -name aclk -period 8.000 " in (folder / f"{TOP}.sdc").read_text()
    assert (folder / f"{TOP}.lpf").read_text() == 'FREQUENCY PORT "aclk" 125 MHZ;\n'


def test_the_register_map_in_system_rdl(tmp_path: Path) -> None:
    (tmp_path / "registers.rdl").write_text(system_rdl())
    compiler = RDLCompiler()
    compiler.compile_file(str(tmp_path / "registers.rdl"))
    found = {node.inst_name: node for node in compiler.elaborate().top.registers()}
    assert list(found) == [register.name for register in REGISTERS]
    for register in REGISTERS:
        node = found[register.name]
        assert node.absolute_address == register.offset
        assert node.has_sw_readable == register.access.readable
        assert node.has_sw_writable == register.access.writable
        fields = {field.inst_name: (field.low, field.width) for field in node.fields()}
        expected = {field.name: (field.low, field.width) for field in register.fields}
        assert fields == (expected or {"value": (0, 32)})


def test_the_register_map_in_svd() -> None:
    from xml.etree import ElementTree

    registers = ElementTree.fromstring(svd().split("\n", 1)[1]).iter("register")
    found = {item.findtext("name"): item for item in registers}
    assert list(found) == [register.name.upper() for register in REGISTERS]
    for register in REGISTERS:
        item = found[register.name.upper()]
        assert int(item.findtext("addressOffset") or "", 16) == register.offset
        assert item.findtext("access") == {
            (True, False): "read-only", (True, True): "read-write", (False, True): "write-only"
        }[register.access.readable, register.access.writable]  # fmt: skip
        cleared = register.access is Access.WRITE_ONE_TO_CLEAR
        assert (item.findtext("modifiedWriteValues") == "oneToClear") == cleared


def _synthesises(folder: Path, command: str) -> bool:
    script = f"read_verilog block.v; {command}; check -assert"
    done = subprocess.run([sys.executable, "-c", YOSYS, script], cwd=folder, capture_output=True)
    return done.returncode == 0


def test_ice40_synthesises_what_it_has_no_memory_for(tmp_path: Path) -> None:
    """The demand table of a PE's edge is small and read asynchronously: no such RAM there."""
    (module,) = emit(EdgeDemand(CONFIG.pea, 0))
    command = f"synth_ice40 -top {module.name}"
    (tmp_path / "block.v").write_text(TARGETS["ice40"].mark(module.text))
    assert _synthesises(tmp_path, command)
    (tmp_path / "block.v").write_text(TARGETS["generic"].mark(module.text))
    assert not _synthesises(tmp_path, command), "the mark makes no difference"


def test_targets_mark_memories_in_their_own_words() -> None:
    text = '  (* ram_style = "distributed" *)\n  reg a;\n  (* ram_style = "block" *)\n  reg b;\n'
    assert TARGETS["generic"].mark(text) == text
    assert TARGETS["asic"].mark(text) == "  reg a;\n  reg b;\n"
    assert '(* ramstyle = "MLAB" *)' in TARGETS["intel"].mark(text)
    assert '(* ramstyle = "M10K" *)' in TARGETS["intel"].mark(text)
    with pytest.raises(TargetError, match="--target is 'ice'; allowed: generic, ecp5"):
        find_target("ice")
