"""Layouts: structures to words and back, fixed sizes, and addresses."""

import inspect
import random
from importlib import import_module

import pytest
from amaranth.lib import data

from octopus.hw.layouts import words
from octopus.hw.layouts.block import BLOCK_ENTRY_WORDS, SUCCESSOR_ENTRY_WORDS
from octopus.hw.layouts.descriptor import (
    DESCRIPTOR_HEADER_WORDS,
    DMA_ENTRY_WORDS,
    STREAM_GROUP_WORDS,
    DescriptorHeader,
    DmaEntry,
    Edge,
    StreamGroup,
)
from octopus.hw.layouts.instruction import CONTROL_BITS, Control, RequantiseParameters
from octopus.hw.layouts.kernel import HEADER_WORDS, KernelHeader
from octopus.hw.layouts.memory import DATA_FLIT_BITS, PacketHead
from octopus.hw.layouts.space import Address, Node, address_of
from octopus.hw.layouts.token import ControlPacket

MODULES = ("block", "descriptor", "instruction", "kernel", "memory", "space", "token")
STRUCTURES = [
    member
    for name in MODULES
    for member in vars(import_module(f"octopus.hw.layouts.{name}")).values()
    if inspect.isclass(member)
    and issubclass(member, data.Struct)
    and member.__module__.endswith(f".{name}")
]
SIZES = {
    "BlockEntry": BLOCK_ENTRY_WORDS * 32,
    "SuccessorEntry": SUCCESSOR_ENTRY_WORDS * 32,
    "DescriptorHeader": DESCRIPTOR_HEADER_WORDS * 32,
    "DmaEntry": DMA_ENTRY_WORDS * 32,
    "StreamGroup": STREAM_GROUP_WORDS * 32,
    "KernelHeader": HEADER_WORDS * 32,
    "RequantiseParameters": 32,
    "Address": 32,
    "PacketHead": DATA_FLIT_BITS,
}


def by_name(structure):
    return structure.__name__


def random_fields(structure, generator):
    return {
        name: generator.randrange(1 << field.width) for name, field in data.Layout.cast(structure)
    }


@pytest.mark.parametrize("structure", STRUCTURES, ids=by_name)
def test_unpack_splits_every_bit_into_its_field(structure):
    generator = random.Random(structure.__name__)
    layout = data.Layout.cast(structure)
    for _ in range(20):
        bits = generator.getrandbits(layout.size)
        image = [bits >> low & words.WORD_MASK for low in range(0, layout.size, 32)]
        fields = words.unpack(structure, image)
        assert sum(value << layout[name].offset for name, value in fields.items()) == bits


@pytest.mark.parametrize("structure", SIZES)
def test_sizes_are_as_documented(structure):
    found = next(item for item in STRUCTURES if item.__name__ == structure)
    assert data.Layout.cast(found).size == SIZES[structure]


@pytest.mark.parametrize(
    "structure", [DescriptorHeader, DmaEntry, KernelHeader, RequantiseParameters], ids=by_name
)
def test_pack_then_unpack_of_plain_numbers(structure):
    generator = random.Random(7)
    for _ in range(50):
        fields = random_fields(structure, generator)
        assert words.unpack(structure, words.pack(structure, fields)) == fields


def test_negative_numbers_are_two_s_complement():
    image = words.pack(DmaEntry, {"memory_row_stride": -4})
    assert image[3] == 0xFFFFFFFC
    assert words.unpack(DmaEntry, image)["memory_row_stride"] == 0xFFFFFFFC


def test_enumerations_and_defaults():
    image = words.pack(StreamGroup, {"edge": Edge.NORTH_OUT, "count0": 5})
    assert image == [3, 0, 0, 0, 5] + [0] * 7


def test_nested_structures():
    image = words.pack(ControlPacket, {"destination": {"x": 3, "y": 5, "host": 1}})
    node = words.unpack(Node, [words.unpack(ControlPacket, image)["destination"]])
    assert node == {"x": 3, "y": 5, "host": 1}


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match="KernelHeader has no field 'height'"):
        words.pack(KernelHeader, {"height": 3})


@pytest.mark.parametrize(
    ("value", "fits"), [(255, True), (-128, True), (256, False), (-129, False)]
)
def test_a_value_must_fit_its_field(value, fits):
    if fits:
        words.pack(KernelHeader, {"rows": value})
        return
    with pytest.raises(ValueError, match=rf"KernelHeader.rows is {value}; it has 8 bits"):
        words.pack(KernelHeader, {"rows": value})


def test_too_few_words():
    with pytest.raises(ValueError, match="KernelHeader needs 4 words, got 3"):
        words.unpack(KernelHeader, [0, 0, 0])


def test_control_part_fits_its_words():
    assert data.Layout.cast(Control).size <= CONTROL_BITS


def test_address_agrees_with_its_layout():
    address = address_of(3, 17, 0x12345)
    assert words.unpack(Address, [address]) == {"offset": 0x12345, "x": 3, "y": 17}


@pytest.mark.parametrize(
    ("x", "y", "offset", "message"),
    [
        (32, 0, 0, "x is 32; allowed: 0 to 31"),
        (-1, 0, 0, "x is -1; allowed: 0 to 31"),
        (0, 32, 0, "y is 32; allowed: 0 to 31"),
        (0, 0, 1 << 22, "offset is 4194304; allowed: 0 to 4194303"),
    ],
)
def test_address_out_of_range(x, y, offset, message):
    with pytest.raises(ValueError, match=message):
        address_of(x, y, offset)


@pytest.mark.parametrize("structure", [PacketHead, ControlPacket], ids=by_name)
def test_packets_begin_with_their_destination(structure):
    assert data.Layout.cast(structure)["destination"].offset == 0
