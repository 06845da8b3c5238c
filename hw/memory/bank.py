"""One bank of a banked memory: a simple dual-port RAM with an arbiter on either side."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..library import Block, add_block
from .arbiter import RoundRobinArbiter
from .ports import WORD_BYTES, parity_of, write_layout

ALL_BYTES = (1 << WORD_BYTES) - 1


class MemoryBank(Block):
    """Storage of ``depth`` words that serves one read and one write of many a cycle.

    Every byte is stored with a parity bit.

    Parameters
    ----------
    depth: words stored, at least 1.
    read_ports, write_ports: number of requesters on either side, at least 1.
    scrub: whether there is a port that zeroes words.
    yielding: the last port of either side is served only if no other wants the bank.

    Ports
    -----
    read_requests: in, one bit a read port; read_addresses: in, word addresses in the bank;
    read_grants: out, one-hot; data: out, 32 bits, the word granted in the cycle before; parity:
    out, 4 bits, as stored with it.
    write_requests, write_payloads, write_grants: likewise for writes (seen by every later read).
    scrub: in, with scrub_address: the word becomes zero, nobody else writes in this cycle.
    hold_reads, hold_writes: in, only with ``yielding``: all but the last port wait in this cycle.

    Timing: grants combinational from requests, data one cycle after the grant. A word read in
    the cycle in which it is written has its old value. The storage is written a cycle later, from a
    register: arbitration and storage need not fit into one cycle. A word read while it is on its
    way is taken from there.
    Errors: none. Source: own.
    """

    def __init__(
        self,
        depth: int,
        read_ports: int,
        write_ports: int,
        scrub: bool = False,
        yielding: bool = False,
    ) -> None:
        self.depth = depth
        self.read_ports = read_ports
        self.write_ports = write_ports
        self.has_scrub = scrub
        self.yielding = yielding
        self.address_bits = max(1, (depth - 1).bit_length())
        scrub_ports = {"scrub": In(1), "scrub_address": In(self.address_bits)}
        hold_ports = {"hold_reads": In(1), "hold_writes": In(1)}
        super().__init__(
            {
                "read_requests": In(read_ports),
                "read_addresses": In(self.address_bits).array(read_ports),
                "read_grants": Out(read_ports),
                "data": Out(32),
                "parity": Out(WORD_BYTES),
                "write_requests": In(write_ports),
                "write_payloads": In(write_layout(self.address_bits)).array(write_ports),
                "write_grants": Out(write_ports),
                **(scrub_ports if scrub else {}),
                **(hold_ports if yielding else {}),
            },
            depth=depth,
            read_ports=read_ports,
            write_ports=write_ports,
            scrub=scrub,
            yielding=yielding,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        scrub = self.scrub if self.has_scrub else Const(0)
        read_hold = self.hold_reads if self.yielding else None
        write_hold = self.hold_writes if self.yielding else None
        read_grants = _grants(m, platform, "read", self.read_requests, Const(0), read_hold)
        write_grants = _grants(m, platform, "write", self.write_requests, scrub, write_hold)
        written = Signal(write_layout(self.address_bits))
        m.d.comb += [
            self.read_grants.eq(read_grants),
            self.write_grants.eq(write_grants),
            # zero if nobody was granted
            written.eq(_one_hot(write_grants, [item.as_value() for item in self.write_payloads])),
        ]
        if self.has_scrub:
            with m.If(self.scrub):
                m.d.comb += [written.address.eq(self.scrub_address), written.mask.eq(ALL_BYTES)]
        lanes = self._store(m, _one_hot(read_grants, self.read_addresses), written)
        m.d.comb += [
            self.data.eq(Cat(lane[:8] for lane in lanes)),
            self.parity.eq(Cat(lane[8] for lane in lanes)),
        ]
        return m

    def _store(self, m: Module, address: Value, written: Any) -> list[Value]:
        """The storage, written a cycle late; the nine-bit lanes of the word at ``address``."""
        # The attribute tells Yosys that nobody looks at what a block RAM gives for a byte that is
        # being written: it need not add what is here already.
        m.submodules.storage = storage = memory.Memory(
            shape=9 * WORD_BYTES, depth=self.depth, init=[], attrs={"no_rw_check": 1}
        )
        reader = storage.read_port()
        writer = storage.write_port(granularity=9)
        asked = Signal(self.address_bits)
        passed = Signal.like(writer.data)
        passed_address = Signal(self.address_bits)
        passed_bytes = Signal(WORD_BYTES)
        m.d.comb += [reader.en.eq(self.read_requests.any()), reader.addr.eq(address)]
        m.d.sync += [
            writer.addr.eq(written.address),
            writer.data.eq(_with_parity(written.data)),
            writer.en.eq(written.mask),
            asked.eq(address),
            passed_address.eq(writer.addr),
            passed.eq(writer.data),
            passed_bytes.eq(writer.en),
        ]
        same = asked == passed_address
        return [
            Mux(
                same & passed_bytes[byte],
                passed.word_select(byte, 9),
                reader.data.word_select(byte, 9),
            )
            for byte in range(WORD_BYTES)
        ]


def _with_parity(word: Any) -> Any:
    """The word as it is stored: nine bits a byte."""
    parity = parity_of(word)
    return Cat(Cat(word.word_select(byte, 8), parity[byte]) for byte in range(WORD_BYTES))


def _grants(
    m: Module, platform: Any, side: str, requests: Any, nobody: Value, hold: Value | None
) -> Value:
    """Who is served: one-hot, zero if ``nobody`` is to be.

    Without ``hold`` (None) all are equal; else the last requester comes after all others, unless
    they hold. Both restrict what the arbiter grants, not what it is asked: it is the slow part.
    """
    if hold is None:
        return _arbitrate(m, platform, f"{side}_arbiter", requests, nobody)
    others = requests[:-1]
    first = _arbitrate(m, platform, f"{side}_arbiter", others, nobody | hold)
    return Cat(first, requests[-1] & (hold | ~others.any()) & ~nobody)


def _arbitrate(m: Module, platform: Any, name: str, requests: Any, nobody: Value) -> Value:
    """One-hot grants of one resource, none while ``nobody``; a single requester always gets it."""
    free = ~nobody
    if len(requests) == 1:
        return requests & free
    add_block(m, platform, name, arbiter := RoundRobinArbiter(len(requests)))
    m.d.comb += [arbiter.requests.eq(requests), arbiter.advance.eq(free)]
    return arbiter.grants & free.replicate(len(requests))


def _one_hot(select: Any, values: Any) -> Any:
    """AND-OR multiplexer: the value whose select bit is set, zero if none is."""
    result: Any = 0
    for bit, value in zip(select, values, strict=True):
        result = result | (bit.replicate(len(value)) & value)
    return result
