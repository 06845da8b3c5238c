"""How streams are set up for the next run while the present one goes on."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .layouts import EPOCH_BITS, stream_layout


class StreamSetup(wiring.Signature):
    """Setting up one stream, seen from the configurator.

    Runs are numbered by *epochs*. ``begin``: forget what was set up for the next epoch.
    ``load``: the stream will be as in ``stream``. ``commit``: the set-up for the next epoch is
    complete (a stream that was not loaded stays idle). ``busy``: the last committed set-up is
    not yet in use, nothing may be set up.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "begin": Out(1),
                "load": Out(1),
                "stream": Out(stream_layout(address_bits)),
                "commit": Out(1),
                "busy": In(1),
            }
        )


class PortSetup(wiring.Signature):
    """Setting up the two streams of an edge port, seen from the configurator.

    As :class:`StreamSetup`, with a load for either direction. Both loads together set up a
    gather: the words that leave are the offsets of those that enter.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "begin": Out(1),
                "load_input": Out(1),
                "load_output": Out(1),
                "stream": Out(stream_layout(address_bits)),
                "commit": Out(1),
                "busy": In(1),
            }
        )


class EpochControl(wiring.Signature):
    """Progress of runs, seen from the runner.

    ``epoch``: number of the present or last run. ``start``: the next epoch begins after this
    cycle; its set-up has been committed before. ``drain_epoch``: the epoch asked about by
    ``holds``: words of it are still on their way into the scratchpad. ``fault``: in this cycle
    a word of ``epoch`` had an address outside the window; ``drain_fault``: one of the epoch
    before; ``damaged``: the array took a word with wrong parity.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "epoch": Out(EPOCH_BITS),
                "start": Out(1),
                "drain_epoch": Out(EPOCH_BITS),
                "holds": In(1),
                "fault": In(1),
                "drain_fault": In(1),
                "damaged": In(1),
            }
        )
