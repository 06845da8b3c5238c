"""A whole network by itself: a mesh of routers, each with its endpoint, and the host's."""

from dataclasses import asdict
from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from ..library import Block, add_block, only_if_set
from .endpoint import NetworkEndpoint
from .link import Flit, Port
from .link_pipeline import LinkLatency, join_link
from .multicast import validate_multicast
from .router import Router

ONE_CYCLE = LinkLatency()


class NetworkMesh(Block):
    """``columns`` x ``rows`` routers with endpoints; node x + y * columns, then the host.

    For tests and measurements of the network alone; the chip joins routers cluster by cluster.

    Parameters
    ----------
    columns, rows: size of the mesh. buffer_depth: that for links of one cycle.
    latency: of the links between routers; those of endpoints take one cycle.
    Others as for ``Router`` (the host's endpoint is never ``direct``).

    Ports
    -----
    inject (in), eject (out), ``[node][message class]``: streams of :class:`Flit`. The last node is
        the host bridge's place.
    unreachable (out, a bit a class, ``[node]``), parity_error (out, ``[node]``: the bits of the
        router and the endpoint's above them; of the host: the endpoint's only).

    Timing: see ``Router`` and ``NetworkEndpoint``.
    """

    def __init__(
        self,
        columns: int,
        rows: int,
        flit_bits: int,
        virtual_channels: int,
        buffer_depth: int,
        routing: str = "dimension_ordered",
        message_classes: int | None = None,
        shared_lane: bool = True,
        free_choice: bool = False,
        hold_output: bool = False,
        single_flit: bool = False,
        latency: LinkLatency = ONE_CYCLE,
        direct: bool = False,
        multicast: bool = False,
    ) -> None:
        classes = virtual_channels if message_classes is None else message_classes
        if multicast:
            validate_multicast(flit_bits, virtual_channels, single_flit, routing)
        buffer_depth = latency.buffer_depth(buffer_depth, columns, rows)
        self.latency = latency
        self.columns = columns
        self.rows = rows
        self._link = (flit_bits, virtual_channels, buffer_depth)
        self._router = {
            "routing": routing,
            "message_classes": classes,
            "shared_lane": shared_lane,
            "free_choice": free_choice,
            "hold_output": hold_output,
            "single_flit": single_flit,
            "direct": direct,
            **only_if_set(multicast=multicast),
        }
        self.message_classes = classes
        nodes = columns * rows + 1
        super().__init__(
            {
                "inject": In(stream.Signature(Flit(flit_bits))).array(nodes, classes),
                "eject": Out(stream.Signature(Flit(flit_bits))).array(nodes, classes),
                "unreachable": Out(classes).array(nodes),
                "parity_error": Out(len(Port) + 1).array(nodes),
            },
            columns=columns,
            rows=rows,
            flit_bits=flit_bits,
            virtual_channels=virtual_channels,
            buffer_depth=buffer_depth,
            **self._router,
            latency=asdict(latency),
        )

    def elaborate(self, platform: Any) -> Module:
        """Join neighbours and endpoints."""
        m = Module()
        routers = {
            (x, y): self._node(m, platform, x, y)
            for y in range(self.rows)
            for x in range(self.columns)
        }
        for (x, y), router in routers.items():
            for side, there in ((Port.EAST, (x + 1, y)), (Port.SOUTH, (x, y + 1))):
                if there in routers:
                    self._join(m, platform, (x, y), router, side, there, routers[there])
        host = self._endpoint(m, platform, len(routers), host=True)
        m.d.comb += self.parity_error[len(routers)].eq(host.parity_error)
        connect(m, host.link_out, routers[0, 0].west_in)
        connect(m, routers[0, 0].west_out, host.link_in)
        return m

    def _join(
        self,
        m: Module,
        platform: Any,
        here: tuple[int, int],
        router: Router,
        side: Port,
        there: tuple[int, int],
        neighbour: Router,
    ) -> None:
        """The links of two neighbours, one in each direction."""
        cycles = self.latency.between(here, there)
        own, other = side.name.lower(), side.opposite.name.lower()
        for sender, out, receiver, into, place in (
            (router, own, neighbour, other, here),
            (neighbour, other, router, own, there),
        ):
            join_link(
                m,
                platform,
                f"link_{place[0]}_{place[1]}_{out}",
                getattr(sender, f"{out}_out"),
                getattr(receiver, f"{into}_in"),
                cycles,
            )

    def _node(self, m: Module, platform: Any, x: int, y: int) -> Router:
        """A router with its endpoint."""
        router = Router(*self._link, **self._router)  # type: ignore[arg-type]
        add_block(m, platform, f"router_{x}_{y}", router)
        node = x + y * self.columns
        endpoint = self._endpoint(m, platform, node, host=False)
        connect(m, endpoint.link_out, router.local_in)
        connect(m, router.local_out, endpoint.link_in)
        m.d.comb += [
            router.x.eq(x),
            router.y.eq(y),
            endpoint.x.eq(x),
            endpoint.y.eq(y),
            self.parity_error[node].eq(Cat(router.parity_error, endpoint.parity_error)),
        ]
        return router

    def _endpoint(self, m: Module, platform: Any, node: int, host: bool) -> NetworkEndpoint:
        endpoint = NetworkEndpoint(
            *self._link,
            self.columns,
            self.rows,
            self.message_classes,
            host=host,
            free_choice=bool(self._router["free_choice"]),
            direct=bool(self._router["direct"]) and not host,
            multicast=bool(self._router.get("multicast")),
        )
        add_block(m, platform, f"endpoint_{node}", endpoint)
        for index in range(self.message_classes):
            connect(m, flipped(self.inject[node][index]), endpoint.inject[index])
            connect(m, endpoint.eject[index], flipped(self.eject[node][index]))
        m.d.comb += self.unreachable[node].eq(endpoint.unreachable)
        return endpoint
