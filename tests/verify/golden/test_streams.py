"""The golden streams against addresses and words written out by hand."""

import pytest

from octopus.hw.layouts.descriptor import Edge, Element, StreamMode
from octopus.verify.golden.memory import AccessError, Scratchpad
from octopus.verify.golden.stream import Group, Port


def group(edge=Edge.WEST_IN, mode=StreamMode.AFFINE, element=Element.WORD, **fields):
    defaults = {"first_port": 0, "port_count": 1, "base": 0, "port_stride": 0}
    defaults |= {"counts": (1, 1, 1, 1), "strides": (0, 0, 0, 0)}
    return Group(edge, mode, element, **(defaults | fields))


def scratchpad(*words, size=16):
    pad = Scratchpad(size)
    pad.words[: len(words)] = words
    return pad


def port(pad, *groups, k=0):
    result = Port(pad)
    for each in groups:
        result.configure(each, k)
    return result


def test_addresses_run_innermost_first():
    pattern = group(base=100, port_stride=1000, counts=(2, 3, 1, 2), strides=(4, -8, 0, 32))
    expected = [100 + 4 * i + -8 * j + 32 * m for m in (0, 1) for j in (0, 1, 2) for i in (0, 1)]
    assert list(pattern.addresses(0)) == expected
    assert list(pattern.addresses(2)) == [address + 2000 for address in expected]


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (Element.BYTE_SIGNED, [0x7F, 0xFFFFFF80, 0xFFFFFFFF]),
        (Element.BYTE_UNSIGNED, [0x7F, 0x80, 0xFF]),
    ],
)
def test_input_bytes_are_extended_and_then_exhausted(element, words):
    pattern = group(element=element, base=1, counts=(3, 1, 1, 1), strides=(1, 0, 0, 0))
    stream = port(scratchpad(0xFF807F55), pattern)
    assert [stream.demand() for _ in range(5)] == [*words, None, None]


def test_output_bytes_leave_their_neighbours_and_the_rest_is_dropped():
    pad = scratchpad(0xAAAAAAAA)
    pattern = group(Edge.WEST_OUT, element=Element.BYTE_SIGNED, base=1, counts=(2, 1, 1, 1))
    stream = port(pad, Group(**{**vars(pattern), "strides": (1, 0, 0, 0)}))
    for word in (0x12345611, 0x22, 0x33):
        stream.push(word)
    assert pad.words[0] == 0xAA2211AA


def test_unaligned_words():
    stream = port(scratchpad(5, 6), group(base=6))
    assert stream.demand() == 6


def test_gather():
    pattern = group(mode=StreamMode.COMPUTED, base=4, port_stride=4)
    stream = port(scratchpad(1, 2, 3, 4), pattern, k=1)
    stream.push(4)
    stream.push(0)
    assert [stream.demand(), stream.demand()] == [4, 3]
    assert stream.demand() is None


def test_scatter():
    pad = scratchpad(1, 2, 3)
    stream = port(pad, group(Edge.WEST_OUT, mode=StreamMode.COMPUTED, base=4))
    for word in (4, 77, 0, 88):
        stream.push(word)
    assert pad.words[:3] == [1, 88, 77]


def test_outside_the_scratchpad():
    stream = port(scratchpad(), group(base=64), group(Edge.WEST_OUT, base=0xFFFFFFFC))
    with pytest.raises(AccessError):
        stream.demand()
    with pytest.raises(AccessError):
        stream.push(1)
