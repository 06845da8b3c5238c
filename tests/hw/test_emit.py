"""Emission: each distinct module once, stable text, a complete folder that tools accept."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from amaranth.hdl import Module, Mux, signed
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from octopus.hw.cbu.token_store import TokenStore
from octopus.hw.chip import Chip
from octopus.hw.config import OctopusConfig
from octopus.hw.emit import emit, write
from octopus.hw.library import MAXIMUM_NAME_LENGTH, Block, ModuleLibrary, add_block
from octopus.hw.module_cache import ModuleCache
from octopus.hw.wrapper import PortNames, wrap
from octopus.sim.lint import LintError, lint
from octopus.sim.toolchain import environment, verilator_root

NAMELESS = "$signal"
"""What Amaranth calls a signal whose name it cannot read from the assignment: one of a tuple."""


class Leaf(Block):
    """Adds ``step`` to what passes."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__({"x": In(8), "y": Out(8)}, step=step)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.y.eq(self.x + self.step)
        return m


class Middle(Block):
    """Two leaves, and a FIFO that is no block of its own."""

    def __init__(self) -> None:
        super().__init__({"x": In(8), "y": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        one, two = Leaf(1), Leaf(2)
        add_block(m, platform, "one", one)
        add_block(m, platform, "two", two)
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=8, depth=4)
        m.d.comb += [
            one.x.eq(self.x),
            fifo.w_data.eq(one.y),
            fifo.w_en.eq(1),
            fifo.r_en.eq(1),
            two.x.eq(fifo.r_data),
            self.y.eq(two.y),
        ]
        return m


class Top(Block):
    """Three equal middles in a row, and a stream port."""

    def __init__(self) -> None:
        super().__init__(
            {
                "x": In(8),
                "y": Out(8),
                "link": Out(stream.Signature(signed(4))),
                "words": Out(3).array(2),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        value = self.x
        for index in range(3):
            middle = Middle()
            add_block(m, platform, f"middle_{index}", middle)
            m.d.comb += middle.x.eq(value)
            value = middle.y
        m.d.comb += [
            self.y.eq(value),
            self.link.payload.eq(-1),
            self.link.valid.eq(self.link.ready | 1),
            self.words[0].eq(value),
            self.words[1].eq(Mux(self.x[0], 1, 2)),
        ]
        return m


class Inverter(Block):
    """Combinational from ``x`` to ``y``."""

    def __init__(self) -> None:
        super().__init__({"x": In(1), "y": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.y.eq(~self.x)
        return m


class Ring(Block):
    """A combinational loop through two blocks, which no tool may accept."""

    def __init__(self) -> None:
        super().__init__({"y": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        one, two = Inverter(), Inverter()
        add_block(m, platform, "one", one)
        add_block(m, platform, "two", two)
        m.d.comb += [one.x.eq(two.y), two.x.eq(one.y), self.y.eq(two.y)]
        return m


def test_each_distinct_module_is_emitted_once_children_first():
    modules = emit(Top())
    names = [module.name for module in modules]
    assert names == [
        "octopus_leaf_step1",
        "octopus_leaf_step2",
        "octopus_middle",
        "octopus_top",
    ]
    assert [module.instances for module in modules] == [3, 3, 3, 1]
    everything = "".join(module.text for module in modules)
    for name in names:
        assert everything.count(f"\nmodule {name}(") + everything.startswith(f"module {name}(") == 1
    assert modules[2].text.count("octopus_leaf_step1 ") == 1
    assert modules[0].parameters == {"step": 1}


def test_helpers_that_are_no_blocks_stay_in_their_modules_file():
    middle = emit(Top())[2]
    assert "octopus_middle.fifo" in middle.text


def test_the_largest_memories_take_no_time():
    """A loop gives them their zeros: a line for each of 262,144 entries would take minutes."""
    (module,) = emit(TokenStore(1024, 256))
    assert module.text.count("\n") < 400
    assert "memory_word < 262144" in module.text


def test_emission_is_reproducible():
    assert emit(Top()) == emit(Top())


def test_ports_are_flattened_by_name():
    text = emit(Top())[-1].text
    for port in ("link__payload", "link__valid", "link__ready", "words__0", "words__1", "clk"):
        assert port in text


def test_written_folder_is_complete(tmp_path):
    modules = emit(Top())
    write(modules, tmp_path, {"name": "test"})
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == sorted(
        [f"{module.name}.v" for module in modules]
        + ["filelist.f", "filelist_absolute.f", "manifest.json"]
    )
    assert (tmp_path / "filelist.f").read_text().split() == [f"{m.name}.v" for m in modules]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["top"] == "octopus_top"
    assert manifest["configuration"] == {"name": "test"}
    assert manifest["tools"]["amaranth"] == "0.5.10"
    assert [(m["name"], m["instances"]) for m in manifest["modules"]] == [
        (m.name, m.instances) for m in modules
    ]


def test_writing_again_removes_modules_that_left(tmp_path):
    write(emit(Top()), tmp_path, {})
    (tmp_path / "notes.txt").write_text("mine")
    write(emit(Leaf(5)), tmp_path, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "filelist.f",
        "filelist_absolute.f",
        "manifest.json",
        "notes.txt",
        "octopus_leaf_step5.v",
    ]


def test_tools_accept_the_verilog(tmp_path):
    write(emit(Top()), tmp_path, {})
    ran = lint(tmp_path, "octopus_top")
    assert {"verilator", "yosys", "slang"} <= set(ran)


def test_modules_linted_alone_are_held_to_their_neighbours_ports(tmp_path, monkeypatch):
    monkeypatch.setattr("octopus.sim.lint.FLAT_INSTANCES", 0)
    write(emit(Top()), tmp_path, {})
    lint(tmp_path, "octopus_top")
    parent = tmp_path / "octopus_top.v"
    parent.write_text(re.sub(r"\.clk\(\S+\),?", "", parent.read_text(), count=1))
    with pytest.raises(LintError, match=r"verilator objects(.|\n)*PINMISSING"):
        lint(tmp_path, "octopus_top")


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    """Whole chips with their wrappers, converted anew."""
    found = {}
    for preset in ("tiny", "scale"):
        chip = Chip(OctopusConfig.load(preset))
        modules = emit(chip, ModuleCache(tmp_path_factory.mktemp("cache")))
        found[preset] = [*modules, wrap(chip, modules, PortNames())]
    return found


def test_a_modules_name_and_parameters_tell_it_from_all_others(chips):
    """Of two chips, modules of one name are the same: only so can they be kept by their keys."""
    texts = [  # Yosys writes a few assignments now here, now there
        {module.name: sorted(module.text.split("\n")) for module in modules}
        for modules in chips.values()
    ]
    shared = set(texts[0]) & set(texts[1])
    assert len(shared) > 30
    assert [name for name in shared if texts[0][name] != texts[1][name]] == []


@pytest.mark.parametrize("preset", ["tiny", "scale"])
def test_tools_accept_whole_chips(tmp_path, chips, preset):
    modules = chips[preset]
    assert [module.name for module in modules if NAMELESS in module.text] == []
    write(modules, tmp_path, {})
    lint(tmp_path, f"octopus_{preset}")


def test_a_combinational_loop_is_refused(tmp_path):
    write(emit(Ring()), tmp_path, {})
    with pytest.raises(LintError, match=r"verilator objects(.|\n)*UNOPTFLAT"):
        lint(tmp_path, "octopus_ring")


def test_emitted_hierarchy_computes_what_the_blocks_say(tmp_path):
    """Verilator runs the emitted files: the sum through three middles arrives 15 cycles later."""
    write(emit(Top()), tmp_path, {})
    (tmp_path / "main.cpp").write_text(
        '#include "Vtop.h"\n'
        "#include <cstdio>\n"
        "int main() { Vtop top; top.x = 7; top.rst = 0;\n"
        "for (int i = 0; i < 40; ++i) { top.clk = 0; top.eval(); top.clk = 1; top.eval(); }\n"
        'std::printf("%d\\n", top.y); }\n'
    )
    files = (tmp_path / "filelist.f").read_text().split()
    verilator = str(verilator_root() / "bin" / "verilator")
    command = [verilator, "--cc", "--exe", "--build", "-Wno-fatal", "-Wno-WIDTH", "--prefix"]
    command += ["Vtop", "--top-module", "octopus_top", "-CFLAGS", "-O0", *files, "main.cpp"]
    subprocess.run(command, cwd=tmp_path, env=environment(), check=True, capture_output=True)
    shown = subprocess.run([tmp_path / "obj_dir" / "Vtop"], capture_output=True, text=True)
    assert int(shown.stdout) == 7 + 3 * (1 + 2)
    shutil.rmtree(tmp_path / "obj_dir")


class Named(Block):
    """Only a name."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__({"x": In(1)}, **parameters)
        self._MustUse__used = True  # never elaborated

    def elaborate(self, platform: Any) -> Module:
        return Module()


def test_names_carry_the_parameters():
    assert Named().module_name == "octopus_named"
    assert Named(rows=4, kind="ai", fast=True).module_name == "octopus_named_rows4_kindai_fast1"
    assert Named(pe={"rows": 2}).module_name == "octopus_named_pe_rows2"
    assert Named(kind="A-b").module_name == "octopus_named_kinda_b"


def test_long_names_carry_a_digest_that_tells_parameters_apart():
    many = {f"parameter_number_{index}": index for index in range(8)}
    first, same, other = Named(**many), Named(**many), Named(**{**many, "parameter_number_7": 8})
    assert len(first.module_name) <= MAXIMUM_NAME_LENGTH
    assert first.module_name == same.module_name
    assert first.module_name != other.module_name


def test_library_keeps_the_first_of_equal_blocks():
    library = ModuleLibrary()
    first, second = Leaf(1), Leaf(1)
    library.instance(first)
    library.instance(second)
    assert library.blocks == {"octopus_leaf_step1": first}
    assert library.instantiated["octopus_leaf_step1"] == 2
