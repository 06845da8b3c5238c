"""Property of the watch over links: it tells of who is stuck, in time, and of nobody else."""

from amaranth.hdl import Array, Const, Module, Mux, Signal

from octopus.hw.noc.link_watch import LinkWatch

from .property import Property


class WatchExact(Property):
    """One link, whichever, against the flits it owes and the cycles in which it gave nothing back,
    both counted by the property."""

    claim = (
        "link watch: a link is told of only if it owed flits and gave no credit for more than "
        "timeout cycles, at the latest after twice as many, and until it gives one"
    )

    def __init__(self, links: int, virtual_channels: int, buffer_depth: int, timeout: int) -> None:
        super().__init__(
            links=links,
            virtual_channels=virtual_channels,
            buffer_depth=buffer_depth,
            timeout=timeout,
        )
        self.depth = 3 * timeout + 4

    def build(self, m: Module) -> None:
        dut = self.place(m, LinkWatch(**self.parameters))
        timeout, places = dut.timeout, dut.places
        used = [Signal(range(places + 1), name=f"used_{i}") for i in range(dut.links)]
        for i, flits in enumerate(used):
            given = sum((bit for bit in dut.credit[i]), Const(0))
            self.assume(~dut.valid[i] | (flits < places))
            self.assume(given <= flits)
            m.d.sync += flits.eq(flits + dut.valid[i] - given)
        watched = self.constant(m, range(max(2, dut.links)), "watched_link")
        self.assume(watched < dut.links)
        credits = Signal(dut.credit[0].shape())
        quiet, was_told, was_quiet = Signal(), Signal(), Signal()
        told = dut.stuck.bit_select(watched, 1)
        waited = Signal(range(2 * timeout + 1))
        m.d.comb += [
            credits.eq(Array(dut.credit)[watched]),
            quiet.eq((Array(used)[watched] != 0) & (credits == 0)),
        ]
        m.d.sync += [
            waited.eq(Mux(quiet, Mux(waited == 2 * timeout, waited, waited + 1), 0)),
            was_told.eq(told),
            was_quiet.eq(quiet),
        ]
        self.require("told only of who gave nothing", ~told | (waited > timeout))
        self.require("told of in time", told | (waited < 2 * timeout))
        self.require("stays told of", ~(was_told & was_quiet) | told)
        self.cover("told of as soon as can be", told & ~was_told & (waited == timeout + 1))
        self.cover("a credit after it was told of", told & (credits != 0))
        self.cover("full, and not told of", ~told & (Array(used)[watched] == places))
        if timeout > 1:
            self.cover("told of as late as can be", told & ~was_told & (waited == 2 * timeout))
