"""A register for a stream, in both directions."""

from typing import Any

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from .library import Block


class StreamRegister(Block):
    """Keeps long paths of a stream apart: what comes out depends on registers only, also ``ready``.

    Parameters
    ----------
    shape: of the payload.

    Ports
    -----
    incoming: stream in, outgoing: stream out, of ``shape``; while ``outgoing`` is not valid,
    nothing is inside.

    Timing: one cycle, an item a cycle; two items have place.
    Errors: none. Source: the usual two-entry "skid buffer".
    """

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__(
            {
                "incoming": In(stream.Signature(shape)),
                "outgoing": Out(stream.Signature(shape)),
            },
            width=Shape.cast(shape).width,  # more does not matter inside
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        coming, leaving = self.incoming, self.outgoing
        second = Signal.like(leaving.payload)
        second_valid = Signal()
        m.d.comb += coming.ready.eq(~second_valid)
        with m.If(~leaving.valid | leaving.ready):
            m.d.sync += [
                Value.cast(leaving.payload).eq(
                    Mux(second_valid, Value.cast(second), Value.cast(coming.payload))
                ),
                leaving.valid.eq(second_valid | coming.valid),
                second_valid.eq(0),
            ]
        with m.Elif(coming.valid):
            m.d.sync += second_valid.eq(1)
        # kept in any case, so that ``ready``, which comes late, need not reach its bits
        with m.If(~second_valid):
            m.d.sync += second.eq(coming.payload)
        return m
