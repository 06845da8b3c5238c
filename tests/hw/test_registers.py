"""The register map and what is generated from it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.host.register_documents import as_json, c_header, markdown
from octopus.hw.host.register_map import Access, Register, fields
from octopus.hw.host.registers import ADDRESS_BITS, BY_NAME, REGISTERS, constants
from octopus.hw.layouts.command import HostOperation
from octopus.hw.layouts.space import ClusterRegister, address_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "host_registers.md"
PROGRAM = """\
#include <stdio.h>
#include "octopus_registers.h"

int main(void)
{
    static uint32_t page[OCTOPUS_REGISTER_BYTES / 4u];
    octopus_write(page, OCTOPUS_TOKEN_DESTINATION,
                  OCTOPUS_PUT(OCTOPUS_TOKEN_DESTINATION_X, 3) |
                  OCTOPUS_PUT(OCTOPUS_TOKEN_DESTINATION_Y, 5) |
                  OCTOPUS_PUT(OCTOPUS_TOKEN_DESTINATION_BLOCK, 77));
    uint32_t value = octopus_read(page, OCTOPUS_TOKEN_DESTINATION);
    printf("%u %u\\n", OCTOPUS_TOKEN_DESTINATION, value);
    printf("%u\\n", OCTOPUS_GET(OCTOPUS_TOKEN_DESTINATION_BLOCK, value));
    printf("%u\\n", octopus_address(2, 1, 64));
    printf("%u\\n", octopus_configuration_address(1, 2, OCTOPUS_CLUSTER_COMMAND));
    printf("%u %u\\n", OCTOPUS_OPERATION_DRAIN, OCTOPUS_IDENTIFICATION_VALUE);
    return 0;
}
"""


def test_offsets_are_words_in_order_and_in_the_page():
    offsets = [register.offset for register in REGISTERS]
    assert offsets == sorted(set(offsets))
    assert all(offset % 4 == 0 and offset < 1 << ADDRESS_BITS for offset in offsets)
    assert len(BY_NAME) == len(REGISTERS)


def test_fields_do_not_overlap():
    for register in REGISTERS:
        assert sum(field.width for field in register.fields) == register.mask.bit_count() or (
            not register.fields
        ), register.name
        assert register.mask <= 0xFFFFFFFF


def test_compose_and_extract_are_inverse():
    register = BY_NAME["user_view"]
    values = {"enforce": 1, "first": 3, "last": 200}
    assert register.extract(register.compose(**values)) == values
    assert register.compose(last=1) == 1 << 16


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"user_view\.last is 256; it has 8 bits"):
        BY_NAME["user_view"].compose(last=256)
    with pytest.raises(KeyError, match="register user_view has no field size"):
        BY_NAME["user_view"].compose(size=1)
    with pytest.raises(ValueError, match="take 33 bits; allowed: 32"):
        fields(("a", 32, ""), ("b", 1, ""))


@pytest.mark.parametrize("name", ["tiny", "ulx3s", "default", "scale"])
def test_every_preset_fits_its_registers(name):
    config = OctopusConfig.load(name)
    values = constants(config)
    mesh = BY_NAME["mesh"].extract(values["mesh"])
    assert mesh == {"rows": config.mesh.rows, "columns": config.mesh.columns}
    assert all(0 <= value < 1 << 32 for value in values.values())


def test_the_document_is_what_is_generated():
    """If this fails: octopus registers > docs/host_registers.md"""
    assert DOCUMENT.read_text() == markdown()


def test_json_holds_every_register():
    found = {entry["name"]: entry for entry in json.loads(as_json())}
    assert list(found) == list(BY_NAME)
    again = Register("", found["command"]["offset"], Access[found["command"]["access"].upper()], "")
    assert (again.offset, again.access) == (BY_NAME["command"].offset, BY_NAME["command"].access)
    assert {f["name"] for f in found["mesh"]["fields"]} == {"rows", "columns"}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_header_compiles_without_a_warning_and_says_the_same(tmp_path):
    (tmp_path / "octopus_registers.h").write_text(c_header())
    (tmp_path / "main.c").write_text(PROGRAM)
    command = ["gcc", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-std=c11", "main.c", "-o", "a"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["./a"], cwd=tmp_path, check=True, capture_output=True, text=True)
    destination = BY_NAME["token_destination"]
    space = 1 << 21
    assert [int(word) for word in done.stdout.split()] == [
        destination.offset,
        destination.compose(x=3, y=5, block=77),
        77,
        address_of(2, 1, 64),
        address_of(1, 2, space + ClusterRegister.COMMAND),
        HostOperation.DRAIN.value,
        0x4F43544F,
    ]
