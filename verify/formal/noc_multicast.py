"""Properties of multicast: the right sides get a copy, each exactly one, and none is lost."""

from itertools import product
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value

from octopus.hw.layouts.space import COORDINATE_BITS, Node, Rectangle
from octopus.hw.noc.input_port import InputPort
from octopus.hw.noc.link import Port, parity_is_wrong
from octopus.hw.noc.multicast import RECTANGLE_BITS, RectangleRoute
from octopus.hw.noc.routing import turns_to

from .noc_flow import HERE, route_of
from .property import Property

PAYLOAD = {"x": 2, "y": 2, "host": 1, "x_last": 2, "y_last": 2, "colour": 1}
"""What of a payload is free; the other bits are zero."""


class BranchesExact(Property):
    """A router, a rectangle and a node of it, anywhere in a mesh of any size.

    The node is whichever the flit is on its way to. As packets for one node come to it
    (``RouteReaches``), copies come to all, and since no other side gets one, to nobody else.
    """

    claim = (
        "multicast: whichever node of the rectangle the flit is on its way to, the side to it gets "
        "a copy; a side gets one only if nodes of the rectangle are there; all by legal turns"
    )
    depth = 2

    def __init__(self, side: str) -> None:
        super().__init__(side=side)

    def build(self, m: Module) -> None:
        side = Port[self.parameters["side"]]
        dut = RectangleRoute(side)
        self.place(m, dut)
        to, first = dut.destination, dut.destination.first
        self.assume(~first.host | ~Cat(first.x, first.y, to.x_last, to.y_last).any())
        node = self.free(Node, "node")
        self.assume(_inside(to, node.x, node.y) & (node.host == first.host))
        self.assume(_on_its_way(side, node, dut.x, dut.y))
        for port in Port:
            name = port.name.lower()
            if side not in turns_to("dimension_ordered", port):
                self.require(f"no turn to {name}", ~dut.output[port])
                continue
            leads = route_of(node, port, dut.x, dut.y)
            self.require(f"{name}: gets its copy", ~leads | dut.output[port])
            self.require(f"{name}: no other", ~dut.output[port] | _some(port, to, dut.x, dut.y))
            self.cover(f"{name}: taken", leads)


class InputCopies(Property):
    """The flits of an input; one of them, whichever, is marked and remembered."""

    claim = (
        "input port with multicast: it asks exactly for the ready sides that the first flit's "
        "copies have not left by; each copy is that flit, unchanged and in order; one credit after "
        "the last"
    )
    depth = 12

    def __init__(self, side: str, buffer_depth: int, **options: Any) -> None:
        super().__init__(side=side, buffer_depth=buffer_depth, **options)

    def build(self, m: Module) -> None:
        options = dict(self.parameters)
        side = Port[options.pop("side")]
        dut = InputPort(
            RECTANGLE_BITS + 1, 1, message_classes=1, lanes=1, side=side, single_flit=True,
            multicast=True, **options,
        )  # fmt: skip
        self.place(m, dut, driven=("x", "y", "link__flit"))
        m.d.comb += [dut.x.eq(HERE), dut.y.eq(HERE)]
        ways = self._sender(m, dut)
        waiting, pending, left = self._queue(m, dut, ways)
        ready = Cat(dut.packet_ready[port][0] for port in Port)
        asks, request = Signal(len(Port)), dut.request[0]
        m.d.comb += asks.eq(pending & ready)
        self.assume((dut.grant & ~request) == 0)
        self.require("asks for each copy's side until it is granted", request == asks)
        credit = Signal()
        m.d.sync += credit.eq(left)
        self.require("one credit for each", dut.link.credit[0] == credit)
        self._watch(m, dut, waiting, left)
        several = (pending & (pending - 1)).any()
        full = waiting == dut.buffer_depth
        self.cover("two copies in one cycle", (dut.grant & (dut.grant - 1)).any())
        self.cover("a first copy leaves, others stay", dut.grant.any() & (pending != dut.grant))
        self.cover("a full buffer whose first has several", full & several)

    def _sender(self, m: Module, dut: InputPort) -> Signal:
        """A neighbour that keeps to the protocol; the sides that the arriving flit must go to."""
        link = dut.link
        parts = {name: self.free(bits, name) for name, bits in PAYLOAD.items()}
        gap = Const(0, COORDINATE_BITS - 2)
        m.d.comb += [
            link.flit.payload.eq(
                Cat(
                    *(parts["x"], gap, parts["y"], gap, parts["host"]),
                    *(parts["x_last"], gap, parts["y_last"], gap, parts["colour"]),
                )
            ),
            link.flit.head.eq(1),
            link.flit.tail.eq(1),
        ]
        self.assume(~link.valid | (link.channel == 0))
        self.assume(~link.valid | ~parity_is_wrong(link.flit, link.parity))
        to = Signal(Rectangle)
        m.d.comb += to.as_value().eq(link.flit.payload)
        others = (parts[name] for name in ("x", "y", "x_last", "y_last"))
        self.assume(~parts["host"] | ~Cat(others).any())
        ways = Signal(len(Port), name="ways")
        for port in Port:
            m.d.comb += ways[port].eq(Cat(_ways_to(dut.side, to, port)).any())
        self.assume(~link.valid | ways.any())
        return ways

    def _queue(self, m: Module, dut: InputPort, ways: Value) -> tuple[Signal, Signal, Signal]:
        """A model of the buffer: flits in it, sides that copies of its first still owe, and
        whether that flit goes for good. With ``bypass`` the first may be on the link."""
        depth = dut.buffer_depth
        waiting = Signal(range(depth + 2), name="waiting")
        owed = Array(Signal(len(Port), name=f"owed_{i}") for i in range(depth + 1))
        pending, left = Signal(len(Port), name="pending"), Signal(name="left")
        arrives = dut.link.valid
        self.assume(~arrives | (waiting < depth))
        m.d.comb += pending.eq(Mux(waiting != 0, owed[0], 0))
        if dut.bypass:
            with m.If(waiting == 0):
                m.d.comb += pending.eq(Mux(arrives, ways, 0))
        m.d.comb += left.eq(pending.any() & ((pending & ~dut.grant) == 0))
        m.d.sync += waiting.eq(waiting + arrives - left)
        place = Signal.like(waiting, name="place")
        m.d.comb += place.eq(waiting - (left & (waiting != 0)))
        m.d.sync += owed[0].eq(owed[0] & ~dut.grant)
        with m.If(left):
            for i in range(depth):
                m.d.sync += owed[i].eq(owed[i + 1])
        with m.If(arrives):
            passed = (waiting == 0) & dut.bypass
            m.d.sync += owed[place].eq(ways & ~Mux(passed, dut.grant, 0))
        self.require("no more than fit", waiting <= depth)
        return waiting, pending, left

    def _watch(self, m: Module, dut: InputPort, waiting: Value, left: Value) -> None:
        """One flit, whichever, from its arrival until its last copy."""
        arrives = dut.link.valid
        mark, marked = self.free(1, "mark"), Signal(name="marked")
        ahead = Signal.like(waiting, name="ahead")
        flit = Cat(dut.link.flit, dut.link.parity)
        note = Signal(len(flit), name="note")
        passes = Signal(name="passes")
        m.d.comb += passes.eq((waiting == 0) & arrives & dut.bypass)
        with m.If(~marked & mark & arrives & ~(passes & left)):
            m.d.sync += [marked.eq(1), note.eq(flit), ahead.eq(waiting - left)]
        with m.Elif(marked & left):
            m.d.sync += ahead.eq(ahead - 1)
            with m.If(ahead == 0):
                m.d.sync += marked.eq(0)
        goes = dut.grant.any()
        due = goes & marked & (ahead == 0)
        out = Cat(dut.offer[0].flit, dut.offer[0].parity)
        self.require("unchanged and in order", ~due | (out == note))
        self.require("unchanged as it arrives", ~(goes & passes) | (out == flit))


def _ways_to(side: Port, to: Any, port: Port) -> list[Value]:
    """For each node of a 4 x 4 mesh: it is in the rectangle and its way leads from ``side``
    through here to ``port``."""
    result = []
    for x, y, host in [*product(range(4), range(4), (0,)), (0, 0, 1)]:
        node = _NodeAt(Const(x, COORDINATE_BITS), Const(y, COORDINATE_BITS), Const(host, 1))
        wanted = _inside(to, node.x, node.y) & (to.first.host == host)
        here = Const(HERE, COORDINATE_BITS)
        on_way = _on_its_way(side, node, here, here)
        result.append(wanted & on_way & route_of(node, port))
    return result


def _inside(to: Any, x: Value, y: Value) -> Value:
    """Whether node (x, y) is in a rectangle."""
    columns = (to.first.x <= x) & (x <= to.x_last)
    return columns & (to.first.y <= y) & (y <= to.y_last)


def _on_its_way(side: Port, node: Any, x: Value, y: Value) -> Value:
    """Whether a packet for ``node`` can have come into router (x, y) by a side."""
    return {
        Port.WEST: (node.x >= x) & ~node.host,
        Port.EAST: node.x <= x,
        Port.NORTH: (node.x == x) & (node.y >= y) & ~node.host,
        Port.SOUTH: (node.x == x) & (node.y <= y),
        Port.LOCAL: Const(1),
    }[side]


def _some(port: Port, to: Any, x: Value, y: Value) -> Value:
    """Whether nodes of a rectangle are where a side leads: those of its corners and of the
    router's column and row suffice, as a rectangle has no holes."""
    columns = ((to.first.x, to.x_last, x), (to.first.y, to.y_last, y))
    result: Value = Const(0)
    for node_x, node_y in product(*columns):
        there = _inside(to, node_x, node_y)
        node = _NodeAt(node_x, node_y, to.first.host)
        result = result | (there & route_of(node, port, x, y))
    return result


class _NodeAt:
    """A node of given coordinates."""

    def __init__(self, x: Value, y: Value, host: Value) -> None:
        self.x, self.y, self.host = x, y, host
