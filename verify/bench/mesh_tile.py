"""One node of a mesh for the soak test: router, endpoint and links; the C++ bench joins them."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from octopus.hw.cluster.event_counts import EventCounts
from octopus.hw.layouts.space import COORDINATE_BITS
from octopus.hw.library import Block, add_block
from octopus.hw.noc.endpoint import NetworkEndpoint
from octopus.hw.noc.link import Flit, NetworkLink, Port
from octopus.hw.noc.link_pipeline import LinkLatency, join_link
from octopus.hw.noc.router import Router

SIDES = [port.name.lower() for port in Port if port is not Port.LOCAL]


def endpoint_of(
    columns: int, rows: int, options: dict[str, Any], host: bool = False
) -> NetworkEndpoint:
    """The endpoint that belongs to a router with ``options`` (those of :class:`MeshTile`)."""
    return NetworkEndpoint(
        options["flit_bits"],
        options["virtual_channels"],
        depth_of(columns, rows, options),
        columns,
        rows,
        options["message_classes"],
        host=host,
        free_choice=options.get("free_choice", False),
        direct=options.get("direct", False) and not host,
        multicast=options.get("multicast", False),
    )


def depth_of(columns: int, rows: int, options: dict[str, Any]) -> int:
    """Places in a channel's buffer, enough for the latency of the links."""
    latency = LinkLatency(options.get("link_latency", 1))
    return latency.buffer_depth(options["buffer_depth"], columns, rows)


class MeshTile(Block):
    """A router, its endpoint, and the links that leave it.

    Parameters
    ----------
    columns, rows: size of the mesh. options: of ``Router``, and ``link_latency``.

    Ports
    -----
    north_in ... (in), north_out ... (out): links to the neighbours.
    inject (in), eject (out), ``[message class]``: streams of :class:`Flit`.
    x, y (in). unreachable (out, a bit a class). parity_error (out): the bits of the router, and
        the endpoint's above them. count_index (in), count (out): how often such a bit was set, as
        counted by the block that a cluster has for it.

    Timing and errors: as of the blocks inside.
    """

    def __init__(self, columns: int, rows: int, options: dict[str, Any]) -> None:
        self.options = options
        self._endpoint = endpoint_of(columns, rows, options)
        router = {name: value for name, value in options.items() if name != "link_latency"}
        router["buffer_depth"] = depth_of(columns, rows, options)
        self._router = Router(**router)
        link = NetworkLink(options["flit_bits"], options["virtual_channels"])
        flits = stream.Signature(Flit(options["flit_bits"]))
        classes = options["message_classes"]
        super().__init__(
            {
                **{f"{side}_in": In(link) for side in SIDES},
                **{f"{side}_out": Out(link) for side in SIDES},
                "inject": In(flits).array(classes),
                "eject": Out(flits).array(classes),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "unreachable": Out(classes),
                "parity_error": Out(len(Port) + 1),
                "count_index": In(range(len(Port) + 1)),
                "count": Out(32),
            },
            columns=columns,
            rows=rows,
            **options,
        )

    def elaborate(self, platform: Any) -> Module:
        """Join router and endpoint, and lead the router's links out."""
        m = Module()
        router, endpoint = self._router, self._endpoint
        add_block(m, platform, "router", router)
        add_block(m, platform, "endpoint", endpoint)
        counts = EventCounts(len(Port) + 1)
        add_block(m, platform, "counts", counts)
        connect(m, endpoint.link_out, router.local_in)
        connect(m, router.local_out, endpoint.link_in)
        for index in range(len(self.inject)):
            connect(m, flipped(self.inject[index]), endpoint.inject[index])
            connect(m, endpoint.eject[index], flipped(self.eject[index]))
        for block in (router, endpoint):
            m.d.comb += [block.x.eq(self.x), block.y.eq(self.y)]
        for side in SIDES:
            connect(m, flipped(getattr(self, f"{side}_in")), getattr(router, f"{side}_in"))
            own, outer = getattr(router, f"{side}_out"), flipped(getattr(self, f"{side}_out"))
            join_link(m, platform, f"{side}_link", own, outer, self.options.get("link_latency", 1))
        m.d.comb += [
            self.unreachable.eq(endpoint.unreachable),
            self.parity_error.eq(Cat(router.parity_error, endpoint.parity_error)),
            counts.happens.eq(self.parity_error),
            counts.index.eq(self.count_index),
            self.count.eq(counts.count),
        ]
        return m
