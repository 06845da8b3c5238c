"""One bank of a banked memory: a simple dual-port RAM with an arbiter on either side."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..library import Block, add_block
from .arbiter import RoundRobinArbiter
from .ports import write_layout


class MemoryBank(Block):
    """Storage of ``depth`` words that serves one read and one write of many a cycle.

    Parameters
    ----------
    depth: words stored, at least 1.
    read_ports, write_ports: number of requesters on either side, at least 1.

    Ports
    -----
    read_requests: in, one bit a read port; read_addresses: in, word addresses in the bank;
    read_grants: out, one-hot; data: out, 32 bits, the word granted in the cycle before.
    write_requests, write_payloads, write_grants: likewise for writes (stored at the end of the
    cycle of the grant).

    Timing: grants combinational from requests, data one cycle after the grant. A word read in
    the cycle in which it is written has its old value.
    Errors: none. Source: own.
    """

    def __init__(self, depth: int, read_ports: int, write_ports: int) -> None:
        self.depth = depth
        self.read_ports = read_ports
        self.write_ports = write_ports
        self.address_bits = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "read_requests": In(read_ports),
                "read_addresses": In(self.address_bits).array(read_ports),
                "read_grants": Out(read_ports),
                "data": Out(32),
                "write_requests": In(write_ports),
                "write_payloads": In(write_layout(self.address_bits)).array(write_ports),
                "write_grants": Out(write_ports),
            },
            depth=depth,
            read_ports=read_ports,
            write_ports=write_ports,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.storage = storage = memory.Memory(shape=32, depth=self.depth, init=[])
        reader = storage.read_port()
        writer = storage.write_port(granularity=8)

        read_grants = _arbitrate(m, platform, "read_arbiter", self.read_requests)
        write_grants = _arbitrate(m, platform, "write_arbiter", self.write_requests)
        m.d.comb += [
            self.read_grants.eq(read_grants),
            self.write_grants.eq(write_grants),
            reader.en.eq(self.read_requests.any()),
            self.data.eq(reader.data),
        ]
        m.d.comb += reader.addr.eq(_one_hot(read_grants, self.read_addresses))
        chosen = _one_hot(write_grants, [item.as_value() for item in self.write_payloads])
        granted = write_layout(self.address_bits)(chosen)
        m.d.comb += [
            writer.addr.eq(granted.address),
            writer.data.eq(granted.data),
            writer.en.eq(granted.mask),  # zero if nobody was granted
        ]
        return m


def _arbitrate(m: Module, platform: Any, name: str, requests: Any) -> Any:
    """One-hot grants of one resource; a single requester always gets it."""
    if len(requests) == 1:
        return requests
    add_block(m, platform, name, arbiter := RoundRobinArbiter(len(requests)))
    m.d.comb += [arbiter.requests.eq(requests), arbiter.advance.eq(1)]
    return arbiter.grants


def _one_hot(select: Any, values: Any) -> Any:
    """AND-OR multiplexer: the value whose select bit is set, zero if none is."""
    result: Any = 0
    for bit, value in zip(select, values, strict=True):
        result = result | (bit.replicate(len(value)) & value)
    return result
