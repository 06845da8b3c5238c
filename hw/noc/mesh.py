"""A whole network by itself: a mesh of routers, each with its endpoint, and the host's."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from ..library import Block, add_block
from .endpoint import NetworkEndpoint
from .link import Flit, Port
from .router import Router


class NetworkMesh(Block):
    """``columns`` x ``rows`` routers with endpoints; node x + y * columns, then the host.

    For tests and measurements of the network alone; the chip joins routers cluster by cluster.

    Parameters
    ----------
    columns, rows: size of the mesh. Others as for ``Router``.

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
    ) -> None:
        classes = virtual_channels if message_classes is None else message_classes
        self.columns = columns
        self.rows = rows
        self._link = (flit_bits, virtual_channels, buffer_depth)
        self._router = {
            "routing": routing,
            "message_classes": classes,
            "shared_lane": shared_lane,
            "free_choice": free_choice,
            "hold_output": hold_output,
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
            if (x + 1, y) in routers:
                east = routers[x + 1, y]
                connect(m, router.east_out, east.west_in)
                connect(m, east.west_out, router.east_in)
            if (x, y + 1) in routers:
                south = routers[x, y + 1]
                connect(m, router.south_out, south.north_in)
                connect(m, south.north_out, router.south_in)
        host = self._endpoint(m, platform, len(routers), host=True)
        m.d.comb += self.parity_error[len(routers)].eq(host.parity_error)
        connect(m, host.link_out, routers[0, 0].west_in)
        connect(m, routers[0, 0].west_out, host.link_in)
        return m

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
        )
        add_block(m, platform, f"endpoint_{node}", endpoint)
        for index in range(self.message_classes):
            connect(m, flipped(self.inject[node][index]), endpoint.inject[index])
            connect(m, endpoint.eject[index], flipped(self.eject[node][index]))
        m.d.comb += self.unreachable[node].eq(endpoint.unreachable)
        return endpoint
