"""Layouts in the C header and the document: the same bits as RTL and software use."""

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from octopus.hw.host.layout_documents import ENUMERATIONS, STRUCTURES, markdown, places
from octopus.hw.host.register_documents import c_header
from octopus.hw.layouts import block, instruction, space
from octopus.hw.layouts.words import pack

DOCUMENT = Path(__file__).parents[2] / "docs" / "layouts.md"
ROW = re.compile(r"\| (\d+) \| (\d+)(?::(\d+))? \| `(\S+)` \|")


def test_the_document_is_what_is_generated() -> None:
    """If this fails: octopus registers --format layouts > docs/layouts.md"""
    assert DOCUMENT.read_text() == markdown()


def test_the_fields_of_a_structure_are_all_its_bits_once() -> None:
    for structure in STRUCTURES:
        masks = [0] * structure.words
        for place in places(structure):
            assert not masks[place.word] & place.mask, (structure.name, place.name)
            masks[place.word] |= place.mask
        assert all(masks), structure.name


def _fields(structure: object) -> dict[str, int]:
    """A value for each field of one word that is not nested."""
    generator = random.Random(structure.name)
    found = places(structure)
    names = [place.name for place in found]
    return {
        place.name: generator.getrandbits(place.width)
        for place in found
        if names.count(place.name) == 1 and "." not in place.name and not place.values
        and not place.name.startswith("reserved")
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_words_put_together_in_c_are_those_of_the_layouts(tmp_path) -> None:
    lines = ["#include <stdio.h>", '#include "octopus_registers.h"', "int main(void)", "{"]
    expected = []
    for structure in STRUCTURES:
        stem = f"OCTOPUS_{structure.name}"
        lines += ["    {", f"        uint32_t w[{stem}_WORDS] = {{0}};"]
        fields = _fields(structure)
        for name, value in fields.items():
            field = f"{stem}_{name.upper()}"
            lines.append(f"        w[{field}_WORD] |= OCTOPUS_PUT({field}, {value}u);")
        lines.append(f"        for (unsigned i = 0; i < {stem}_WORDS; ++i)")
        lines += ['            printf("%u\\n", w[i]);', "    }"]
        expected += pack(structure.layout, fields)
    (tmp_path / "main.c").write_text("\n".join([*lines, "    return 0;", "}", ""]))
    (tmp_path / "octopus_registers.h").write_text(c_header())
    command = ["gcc", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-std=c11", "main.c", "-o", "a"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["./a"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert [int(word) for word in done.stdout.split()] == expected
    assert len(expected) > 40


def test_a_descriptor_written_from_the_document_alone() -> None:
    """Bits that the document names, put together by hand, are what software writes."""
    section = markdown().split("## BlockEntry")[1].split("\n## ")[0]
    values = {"kind": 1, "join_count": 5, "first_successor": 7, "kernel": 300, "descriptor": 4096}
    words = [0] * 8
    for word, high, low, name in ROW.findall(section):
        words[int(word)] |= values.get(name, 0) << int(low or high)
    assert words == pack(block.BlockEntry, {**values, "kind": block.BlockKind.TASK})


def test_the_header_names_operations_magics_and_every_region() -> None:
    header = c_header()
    for operation in instruction.Operation:
        assert f"#define OCTOPUS_PE_{operation.name} {operation.value}u\n" in header
    assert "#define OCTOPUS_DESCRIPTOR_MAGIC 0xD5u\n" in header
    assert "#define OCTOPUS_KERNEL_MAGIC 0x4F43u\n" in header
    for name, value in vars(space.ConfigurationRegion).items():
        if name.isupper() and not name.endswith("END"):
            assert f"#define OCTOPUS_SPACE_{name} 0x{value:05X}u\n" in header
    for name, value in vars(space.ClusterRegister).items():
        if name.isupper():
            assert f"#define OCTOPUS_CLUSTER_{name} 0x{value:02X}u\n" in header
    names = re.findall(r"^#define (\w+)", header, re.MULTILINE)
    assert len(names) == len(set(names))
    assert len(ENUMERATIONS) > 10
