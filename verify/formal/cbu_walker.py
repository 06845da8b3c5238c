"""The walker: a firing becomes exactly the tokens of its successors."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from octopus.hw.cbu.records import FiringMode
from octopus.hw.cbu.walker import SuccessorWalker
from octopus.hw.layouts.token import TokenKind

from .handshake import offered_until_taken
from .property import Property

ENTRIES = 4
"""Successor entries; an entry's block is its number, so that a token tells where it came from."""

WATCHED, OTHERS = 1, 0
"""Instances: the firing that is followed has one of its own."""


class WalkerExact(Property):
    """One firing, whichever, among others before, after and (for a map) between."""

    claim = (
        "walker: each successor that a firing chooses gets its token exactly once (of a map: once "
        "an index, in order), with the right value, kind and index; no other gets one; a firing "
        "has ended exactly when its last token has been made"
    )
    depth = 12

    def __init__(self, mode: str, cycles: int | None = None) -> None:
        super().__init__(mode=mode, cycles=cycles)
        self.bounded = cycles

    def build(self, m: Module) -> None:
        dut = SuccessorWalker(4, 3, 2, 2)
        self.place(m, dut, driven=("x", "y", "firing", "successor", "closed", "notice__payload"))
        firing = dut.firing
        self.narrow(
            m, firing, "firing", mode=3, selector=1, instance=1, value=2, first_successor=2,
            successor_count=2,
        )  # fmt: skip
        offered_until_taken(self, m, dut.notice)
        mode = Value.cast(firing.mode)
        mine = firing.instance == WATCHED
        self.assume(mode <= FiringMode.FAULT.value)
        self.assume(~mine | (mode == FiringMode[self.parameters["mode"]].value))
        self.assume((firing.successor_count != 0) | (mode == FiringMode.FAULT.value))
        self.assume(firing.first_successor + firing.successor_count <= ENTRIES)
        self.assume(~dut.firing_valid | (dut.level < 4))
        here, arm, expect = (self.constant(m, ENTRIES, name) for name in ("here", "arm", "expect"))
        self._successors(m, dut, here, arm, expect)
        present = Signal()
        begins = dut.firing_valid & mine
        ends = dut.ended & (dut.ended_instance == WATCHED)
        self.assume(~(begins & present))
        with m.If(begins):
            m.d.sync += present.eq(1)
        with m.Elif(ends):
            m.d.sync += present.eq(0)
        self._tokens(m, dut, begins, ends, present, (here, arm, expect))

    def _successors(
        self, m: Module, dut: SuccessorWalker, here: Value, arm: Value, expect: Value
    ) -> None:
        """The successor table: read in one cycle, there in the next."""
        address = Signal(2)
        m.d.sync += address.eq(dut.successor_address)
        entry = dut.successor
        m.d.comb += [
            entry.block.eq(address),
            entry.destination.x.eq(~here.bit_select(address, 1)),
            entry.arm.eq(arm.bit_select(address, 1)),
            entry.kind.eq(expect.bit_select(address, 1)),
        ]

    def _tokens(
        self,
        m: Module,
        dut: SuccessorWalker,
        begins: Value,
        ends: Value,
        present: Value,
        table: tuple[Value, Value, Value],
    ) -> None:
        here, arm, expect = table
        mode = self.parameters["mode"]
        firing = dut.firing
        kept = Signal.like(firing)
        in_range = Cat(
            (firing.first_successor <= i) & (i < firing.first_successor + firing.successor_count)
            for i in range(ENTRIES)
        )
        by_value = Cat(firing.value.bit_select(arm[i], 1) for i in range(ENTRIES))
        by_arm = Cat(arm[i] == firing.selector[0] for i in range(ENTRIES))
        chosen = {
            "ALL": Const(0b1111, ENTRIES),
            "ARM": expect | by_arm,
            "MASK": expect | by_value,
            "MAP": expect,
            "FAULT": Const(0, ENTRIES),
        }[mode]
        due, members = Signal(ENTRIES), Signal(ENTRIES)  # members: of each index of a map
        index, indices = Signal(4), Signal(4)  # next index; number of them
        token = dut.token
        fresh, waits = Signal(), Signal()
        m.d.sync += waits.eq(dut.packet.valid & ~dut.packet.ready)
        m.d.comb += fresh.eq(dut.packet.valid & ~waits)
        local = token.valid & token.ready & (token.payload.instance == WATCHED)
        packet = dut.packet.payload
        remote = fresh & (packet.token.instance == WATCHED)
        more = index < indices
        open_now = Signal(ENTRIES)  # what is due, or will be when the next index begins
        m.d.comb += open_now.eq(Mux((due == 0) & more, members, due))
        first = (due == 0) & more
        number = Mux(first, index, index - 1)
        hit_local, hit_remote = Signal(ENTRIES), Signal(ENTRIES)
        m.d.comb += [
            hit_local.eq(local << token.payload.block[:2]),
            hit_remote.eq(remote << packet.token.block[:2]),
        ]
        fault_due = Signal()
        with m.If(begins):
            m.d.sync += [
                kept.eq(firing),
                due.eq(in_range & chosen),
                members.eq(in_range & ~expect),
                index.eq(0),
                indices.eq(Mux((in_range & ~expect).any(), firing.value, 0)),
                fault_due.eq(1),
            ]
            if mode != "MAP":
                m.d.sync += indices.eq(0)
        with m.Elif(local | remote):
            m.d.sync += due.eq(open_now & ~hit_local & ~hit_remote)
            m.d.sync += index.eq(Mux(first, index + 1, index))
            m.d.sync += fault_due.eq(0)
        if mode == "FAULT":
            self.require("no token here", ~local)
            self.require("one fault", ~remote | fault_due)
            self.require("to the host", ~remote | packet.destination.host)
            kind, status = (Value.cast(packet.token[name]) for name in ("kind", "status"))
            self.require("it is a fault", ~remote | (kind == TokenKind.FAULT.value))
            self.require("its status", ~remote | (status == kept.selector))
            finished = ~fault_due
        else:
            for name, happens, hit, payload in (
                ("here", local, hit_local, token.payload),
                ("elsewhere", remote, hit_remote, packet.token),
            ):
                self._check(name, happens, hit, payload, open_now, kept, expect, number)
            self.require("local tokens stay", (hit_local & ~here) == 0)
            self.require("others leave", (hit_remote & here) == 0)
            self.require("where to", ~remote | (packet.destination.x == 1))
            finished = (due == 0) & ~more
        ended = Signal()
        m.d.sync += ended.eq(ends)
        last = (local | remote) & ~first & ((open_now & ~hit_local & ~hit_remote) == 0)
        # the packet made in the last cycle of a firing is seen in the next
        done = Signal()
        m.d.comb += done.eq(finished | last | (remote if mode == "FAULT" else 0))
        last_index = first & (index + 1 == indices)
        done_map = (local | remote) & last_index & ((members & ~hit_local & ~hit_remote) == 0)
        self.require("all made when it has ended", ~ended | done | done_map)
        self.require("made while it is there", ~(local | remote) | present | ended)
        self.cover("ends", ended & done)
        self.cover("a token of it", local if mode != "FAULT" else remote)

    def _check(
        self,
        name: str,
        happens: Value,
        hit: Value,
        payload: Any,
        open_now: Value,
        kept: Any,
        expect: Value,
        number: Value,
    ) -> None:
        """One token: it is due, and says what it must."""
        mode = self.parameters["mode"]
        is_expect = (hit & expect).any()
        self.require(f"{name}: due", (hit & ~open_now) == 0)
        kind = Value.cast(payload.kind)
        self.require(f"{name}: kind", ~happens | (kind == is_expect))
        value = kept.value
        if mode == "MASK":
            value = Mux(is_expect, kept.selector, kept.value)
        self.require(f"{name}: value", ~happens | (payload.value == value))
        index = Mux(is_expect, 0, number) if mode == "MAP" else Const(0)
        self.require(f"{name}: index", ~happens | (payload.index == index))


assert TokenKind.ARRIVE.value == 0 and TokenKind.EXPECT.value == 1, "bits of ``expect``"
