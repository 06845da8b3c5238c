"""One bank of a banked memory: a simple dual-port RAM with an arbiter on either side."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..arbiter import arbitrate
from ..library import Block
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
    registered: the word read comes from a register, a cycle later.

    Ports
    -----
    read_requests: in, one bit a read port; read_addresses: in, word addresses in the bank;
    read_grants: out, one-hot; data: out, 32 bits, the word granted in the cycle before (two cycles
    before if ``registered``); parity: out, 4 bits, as stored with it.
    write_requests, write_payloads, write_grants: likewise for writes (seen by every later read).
    scrub: in, with scrub_address: the word becomes zero, nobody else writes in this cycle.
    hold_reads, hold_writes: in, only with ``yielding``: all but the last port wait in this cycle.

    Timing: grants combinational from requests, data one or two cycles after the grant. A word read
    in the cycle in which it is written has its old value. The storage is written a cycle later,
    from a register: arbitration and storage need not fit into one cycle. A word read while it is on
    its way is taken from there.
    Errors: none. Source: own.
    """

    def __init__(
        self,
        depth: int,
        read_ports: int,
        write_ports: int,
        scrub: bool = False,
        yielding: bool = False,
        registered: bool = False,
    ) -> None:
        self.depth = depth
        self.read_ports = read_ports
        self.write_ports = write_ports
        self.has_scrub = scrub
        self.yielding = yielding
        self.registered = registered
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
            registered=registered,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        free = ~self.scrub if self.has_scrub else Const(1)
        read_hold = self.hold_reads if self.yielding else None
        write_hold = self.hold_writes if self.yielding else None
        reads = _chosen(m, platform, "read", self.read_requests, Const(1), read_hold)
        writes = _chosen(m, platform, "write", self.write_requests, free, write_hold)
        written = Signal(write_layout(self.address_bits))
        m.d.comb += [
            self.read_grants.eq(reads),
            self.write_grants.eq(writes & free.replicate(self.write_ports)),
            # zero if nobody asks; what comes while the bank is zeroed is left out later
            written.eq(_one_hot(writes, [item.as_value() for item in self.write_payloads])),
        ]
        lanes = self._store(m, _one_hot(reads, self.read_addresses), written)
        answers = m.d.sync if self.registered else m.d.comb
        answers += [
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
        # The word to be written; its parity is found, and a zero put in its place, on its way out.
        waiting = Signal(write_layout(self.address_bits))
        asked = Signal(self.address_bits)
        passed = Signal.like(writer.data)
        passed_address = Signal(self.address_bits)
        passed_bytes = Signal(WORD_BYTES)
        m.d.comb += [
            reader.en.eq(self.read_requests.any()),
            reader.addr.eq(address),
            writer.addr.eq(waiting.address),
            writer.data.eq(_with_parity(waiting.data)),
            writer.en.eq(waiting.mask),
        ]
        m.d.sync += waiting.eq(written)
        if self.has_scrub:
            scrubbed = Signal()
            scrubbed_address = Signal(self.address_bits)
            m.d.sync += [scrubbed.eq(self.scrub), scrubbed_address.eq(self.scrub_address)]
            with m.If(scrubbed):
                m.d.comb += [
                    writer.addr.eq(scrubbed_address),
                    writer.data.eq(0),
                    writer.en.eq(ALL_BYTES),
                ]
        m.d.sync += [
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


def _chosen(
    m: Module, platform: Any, side: str, requests: Any, free: Value, hold: Value | None
) -> Value:
    """Who comes next: one-hot; it is served if the bank is ``free``.

    Without ``hold`` (None) all are equal; else the last requester comes after all others, unless
    they hold. That restricts what the arbiter grants, not what it is asked: it is the slow part.
    """
    name = f"{side}_arbiter"
    if hold is None:
        return arbitrate(m, platform, name, requests, free)
    others = requests[:-1]
    first = arbitrate(m, platform, name, others, free & ~hold) & ~hold.replicate(len(others))
    return Cat(first, requests[-1] & (hold | ~others.any()))


def _one_hot(select: Any, values: Any) -> Any:
    """AND-OR multiplexer: the value whose select bit is set, zero if none is."""
    result: Any = 0
    for bit, value in zip(select, values, strict=True):
        result = result | (bit.replicate(len(value)) & value)
    return result
