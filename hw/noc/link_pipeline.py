"""Links that take more than a cycle: register stages between two routers, and where they are."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out, connect

from ..library import Block, add_block
from .link import MAXIMUM_BUFFER_DEPTH, NetworkLink

MAXIMUM_LINK_LATENCY = 16


@dataclass(frozen=True)
class LinkLatency:
    """Cycles that a flit is on the links of a mesh; the same in both directions.

    ``link``: between two routers of a chiplet. ``crossing``: between routers of different ones.
    ``columns``, ``rows``: routers of a chiplet (the default: all are in one).

    Raises:
        ValueError: names the field, its value and what is allowed.
    """

    link: int = 1
    crossing: int = 1
    columns: int = 32
    rows: int = 32

    def __post_init__(self) -> None:
        for name in ("link", "crossing"):
            value = getattr(self, name)
            if not 1 <= value <= MAXIMUM_LINK_LATENCY:
                raise ValueError(f"{name} latency is {value}; allowed: 1 to {MAXIMUM_LINK_LATENCY}")
        for name in ("columns", "rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"chiplet {name} is {getattr(self, name)}; allowed: 1 or more")

    def between(self, one: tuple[int, int], other: tuple[int, int]) -> int:
        """The latency of the link between neighbours ``one`` and ``other``, (x, y) each."""
        chiplets = {(x // self.columns, y // self.rows) for x, y in (one, other)}
        return self.link if len(chiplets) == 1 else self.crossing

    def longest(self, columns: int, rows: int) -> int:
        """The greatest latency of a link in a mesh of ``columns`` x ``rows`` routers."""
        steps = []
        for own, chiplet in ((columns, self.columns), (rows, self.rows)):
            steps += [self.crossing] * (own > chiplet)
            steps += [self.link] * (own > 1 and chiplet > 1)
        return max(steps, default=1)

    def buffer_depth(self, depth: int, columns: int, rows: int) -> int:
        """Places a channel's buffer needs to do behind the longest link what ``depth`` do at 1.

        A cycle more on the link is two more from a flit's departure to its credit's return.

        Raises:
            ValueError: more than a buffer can have.
        """
        longest = self.longest(columns, rows)
        needed = depth + 2 * (longest - 1)
        if needed > MAXIMUM_BUFFER_DEPTH:
            raise ValueError(
                f"buffer_depth is {depth}; allowed with links of {longest} cycles: 1 to "
                f"{MAXIMUM_BUFFER_DEPTH - 2 * (longest - 1)}"
            )
        return needed


class LinkPipeline(Block):
    """Delays a link's flits, and the credits in the other direction, by register stages.

    Parameters
    ----------
    flit_bits, virtual_channels: as for ``Router``.
    stages: cycles of delay, 1 or more; the link's latency is one more (the sender's register).

    Ports
    -----
    sender (in), receiver (out): :class:`NetworkLink`.

    Timing: what is on ``sender`` in cycle t is on ``receiver`` in t + ``stages``; credits likewise
    the other way. A flit a cycle.

    Errors: none; parity is checked by the receiver.

    Source: own.
    """

    def __init__(self, flit_bits: int, virtual_channels: int, stages: int) -> None:
        if not 1 <= stages < MAXIMUM_LINK_LATENCY:
            raise ValueError(f"stages is {stages}; allowed: 1 to {MAXIMUM_LINK_LATENCY - 1}")
        self.stages = stages
        link = NetworkLink(flit_bits, virtual_channels)
        super().__init__(
            {"sender": In(link), "receiver": Out(link)},
            flit_bits=flit_bits,
            virtual_channels=virtual_channels,
            stages=stages,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build both rows of registers; only what says that something comes needs a reset."""
        m = Module()
        names = ("flit", "parity", "channel")
        valid, credit = self.sender.valid, self.receiver.credit
        flit = Cat(getattr(self.sender, name) for name in names)
        for stage in range(self.stages):
            following = [
                Signal(name=f"valid_{stage}"),
                Signal(len(flit), name=f"flit_{stage}", reset_less=True),
                Signal(len(credit), name=f"credit_{stage}"),
            ]
            sources = (valid, flit, credit)
            m.d.sync += [to.eq(of) for to, of in zip(following, sources, strict=True)]
            valid, flit, credit = following
        m.d.comb += [
            self.receiver.valid.eq(valid),
            Cat(getattr(self.receiver, name) for name in names).eq(flit),
            self.sender.credit.eq(credit),
        ]
        return m


def join_link(m: Module, platform: Any, name: str, sender: Any, receiver: Any, cycles: int) -> None:
    """Join a router's output to another's input by a link of ``cycles`` cycles.

    ``name``: of the submodule that a link of more than a cycle needs.
    """
    if cycles == 1:
        connect(m, sender, receiver)
        return
    link = sender.signature
    pipeline = LinkPipeline(link.flit_bits, link.virtual_channels, cycles - 1)
    add_block(m, platform, name, pipeline)
    connect(m, sender, pipeline.sender)
    connect(m, pipeline.receiver, receiver)
