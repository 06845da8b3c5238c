"""Carries bursts to other clusters: memory requests become packets, answers become responses."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..arbiter import arbitrate
from ..interfaces import MemoryPort
from ..layouts.memory import (
    DATA_FLIT_BITS,
    LENGTH_BITS,
    TRANSACTION_BITS,
    PacketHead,
    PacketOperation,
)
from ..layouts.space import COORDINATE_BITS, Address
from ..library import Block
from ..noc.link import Flit


class RemoteRequester(Block):
    """Turns the bursts of several clients into data-network packets and routes the answers back.

    A client has one burst under way; the bursts of different clients overlap.

    Parameters
    ----------
    clients: number of memory ports, 1 to 16 (a packet's ``transaction`` names the client).
    columns, rows: size of the mesh.
    host: requests come from the host bridge, not from a cluster.
    timeout: cycles that an answer, or room for a flit of a request, may take.

    Ports
    -----
    clients (in, ``[client]``): :class:`MemoryPort`.
    x, y (in): coordinates of the own cluster; not used for the host.
    inject (out): request packets, a stream of :class:`Flit`.
    eject (in): answer packets.

    Timing: the head flit is offered in the cycle after the request; a write burst then takes a
    cycle a word. Answers pass at a word a cycle.

    Errors: a burst to a cluster that does not exist is not sent, and answered with ``error`` here.
    The network's own failures are answered with ``network`` as well: a burst whose answer does not
    come within ``timeout`` cycles, and until the late answer has come (it is discarded) every burst
    of that client; every burst if the network took no flit for ``timeout`` cycles, until reset; the
    words that are missing of an answer that breaks off, or stops for ``timeout`` cycles; a write
    that its server gave up (``PacketServer``) before all of it was sent.
    """

    def __init__(
        self, clients: int, columns: int, rows: int, host: bool = False, timeout: int = 65536
    ) -> None:
        if timeout < 1:
            raise ValueError(f"timeout is {timeout}; allowed: 1 or more")
        self.timeout = timeout
        if not 1 <= clients <= 1 << TRANSACTION_BITS:
            raise ValueError(f"clients is {clients}; allowed: 1 to {1 << TRANSACTION_BITS}")
        self.columns = columns
        self.rows = rows
        self.host = host
        flits = stream.Signature(Flit(DATA_FLIT_BITS))
        super().__init__(
            {
                "clients": In(MemoryPort()).array(clients),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "inject": Out(flits),
                "eject": In(flits),
            },
            clients=clients,
            columns=columns,
            rows=rows,
            host=host,
            timeout=timeout,
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the requesting and the answering side."""
        m = Module()
        count = len(self.clients)
        self._busy = Signal(count)
        """A client's burst awaits its answer."""
        self._lengths = [Signal(LENGTH_BITS, name=f"length_{i}") for i in range(count)]
        self._absent = Signal(count)
        """The client's burst is for a cluster that does not exist."""
        self._refused = Signal(count)
        """The client's burst went nowhere: answer it here."""
        self._writes = Signal(count)
        """The client's burst is a write."""
        self._late = Signal(count)
        """The client's burst was given up; its answer may still come."""
        self._expired = Signal(count)
        """The client's answer has taken too long: answer it here."""
        self._waits = Signal(count)
        """The client's request is sent, no word of an answer has come."""
        self._early = Signal(count)
        """An answer came before the client's request was sent: the server gave it up."""
        self._jammed = Signal()
        """The network took no flit for too long."""
        self._timers(m)
        self._request_side(m, platform)
        self._answer_side(m)
        return m

    def _timers(self, m: Module) -> None:
        """How long each client has waited for its answer, and a flit for room."""
        stuck = Signal(range(self.timeout + 1))
        m.d.sync += stuck.eq(0)
        with m.If(self.inject.valid & ~self.inject.ready):
            m.d.sync += stuck.eq(stuck + 1)
            with m.If(stuck == self.timeout):
                m.d.sync += self._jammed.eq(1)
        for i in range(len(self.clients)):
            age = Signal(range(self.timeout + 1), name=f"age_{i}")
            m.d.sync += age.eq(0)
            with m.If(self._waits[i]):
                m.d.sync += age.eq(age + 1)
                with m.If(age == self.timeout):
                    m.d.sync += age.eq(age)
            m.d.comb += self._expired[i].eq(self._waits[i] & (age == self.timeout))

    def _request_side(self, m: Module, platform: Any) -> None:
        """Choose a client, send the head, then the words of a write, two a flit."""
        count = len(self.clients)
        request = Signal(count)
        grant = Signal(count)
        choosing = Signal()
        owner = Signal(range(count))
        head = Signal(PacketHead)
        words_left = Signal(LENGTH_BITS + 1)
        exists = Signal()
        wanted = Signal()
        m.d.comb += exists.eq(wanted & ~self._jammed)
        low = Signal(32)
        has_low = Signal()
        word = Signal(32)
        word_valid = Signal()
        word_taken = Signal()
        m.d.comb += request.eq(Cat(client.request.valid for client in self.clients) & ~self._busy)
        m.d.comb += grant.eq(arbitrate(m, platform, "arbiter", request, choosing))
        with m.Switch(owner):
            for i, client in enumerate(self.clients):
                with m.Case(i):
                    m.d.comb += [
                        word.eq(client.write.payload),
                        word_valid.eq(client.write.valid),
                        client.write.ready.eq(word_taken),
                    ]
        with m.FSM():
            with m.State("CHOOSE"):
                m.d.comb += choosing.eq(1)
                for i, client in enumerate(self.clients):
                    m.d.comb += client.request.ready.eq(grant[i])
                    with m.If(grant[i]):
                        m.d.sync += owner.eq(i)
                        self._accept(m, i, head, words_left, wanted)
                        m.next = "HEAD"
            with m.State("HEAD"):
                m.d.comb += [
                    self.inject.payload.payload.eq(head),
                    self.inject.payload.head.eq(1),
                    self.inject.payload.tail.eq(words_left == 0),
                    self.inject.valid.eq(exists),
                ]
                m.d.sync += self._writes.bit_select(owner, 1).eq(
                    head.operation == PacketOperation.WRITE
                )
                with m.If(self.inject.ready | ~exists):
                    with m.If(words_left == 0):
                        self._sent(m, owner, exists)
                        m.next = "CHOOSE"
                    with m.Else():
                        m.next = "WORDS"
            with m.State("WORDS"):
                last = words_left == 1
                sends = word_valid & (has_low | last)
                m.d.comb += [
                    self.inject.payload.payload.eq(Mux(has_low, Cat(low, word), word)),
                    self.inject.payload.tail.eq(last),
                    self.inject.valid.eq(sends & exists),
                    word_taken.eq(word_valid & (~sends | self.inject.ready | ~exists)),
                ]
                with m.If(word_taken):
                    m.d.sync += [
                        low.eq(word),
                        has_low.eq(~has_low & ~last),
                        words_left.eq(words_left - 1),
                    ]
                    with m.If(last):
                        self._sent(m, owner, exists)
                        m.next = "CHOOSE"

    def _sent(self, m: Module, owner: Signal, exists: Value) -> None:
        """The request of ``owner`` is out, or was refused, or its server gave it up."""
        with m.If(exists & ~self._early.bit_select(owner, 1)):
            m.d.sync += self._waits.bit_select(owner, 1).eq(1)
        with m.Else():
            m.d.sync += self._refused.bit_select(owner, 1).eq(1)

    def _accept(self, m: Module, index: int, head: Any, words_left: Signal, exists: Signal) -> None:
        """Take the request of client ``index``: compose its packet's head."""
        request = self.clients[index].request.payload
        address = Address(request.address)
        present = (address.x < self.columns) & (address.y < self.rows)
        m.d.sync += [
            self._absent[index].eq(~present),
            self._busy[index].eq(1),
            self._early[index].eq(0),
            self._lengths[index].eq(request.length),
            words_left.eq(Mux(request.write, request.length + 1, 0)),
            exists.eq(present & ~self._late[index]),
            head.eq(0),
            head.destination.x.eq(address.x),
            head.destination.y.eq(address.y),
            head.source.x.eq(0 if self.host else self.x),
            head.source.y.eq(0 if self.host else self.y),
            head.source.host.eq(self.host),
            head.operation.eq(Mux(request.write, PacketOperation.WRITE, PacketOperation.READ)),
            head.transaction.eq(index),
            head.mask.eq(request.mask),
            head.length.eq(request.length),
            head.offset.eq(address.offset),
        ]

    def _answer_side(self, m: Module) -> None:
        """Give the words of an answer, or as many errors as are owed, to the client it names."""
        count = len(self.clients)
        head = PacketHead(self.eject.payload.payload)
        owner = Signal(range(count))
        words_left = Signal(LENGTH_BITS + 1)
        high = Signal()
        error = Signal()
        parity = Signal()
        network = Signal()
        is_data = Signal()
        # an answer that does not end with its last word: one of them was damaged
        spoilt = is_data & (words_left == 1) & ~self.eject.payload.tail
        silence = Signal(range(self.timeout + 1))
        offered = Signal()
        taken = Signal()
        word = Signal(32)
        with m.Switch(owner):
            for i, client in enumerate(self.clients):
                with m.Case(i):
                    m.d.comb += [
                        client.response.valid.eq(offered),
                        taken.eq(offered & client.response.ready),
                    ]
        for client in self.clients:
            m.d.comb += [
                client.response.payload.data.eq(word),
                client.response.payload.last.eq(words_left == 1),
                client.response.payload.error.eq(error | spoilt),
                client.response.payload.parity.eq(parity | spoilt),
                client.response.payload.network.eq(network),
            ]
        with m.FSM():
            with m.State("HEAD"):
                m.d.sync += [high.eq(0), silence.eq(0)]
                refused = self._refused | self._expired
                with m.If(refused.any()):
                    for i in reversed(range(count)):
                        with m.If(refused[i]):
                            m.d.sync += [
                                owner.eq(i),
                                words_left.eq(Mux(self._writes[i], 1, self._lengths[i] + 1)),
                                network.eq(~self._absent[i]),
                            ]
                    m.d.sync += [error.eq(1), parity.eq(0), is_data.eq(0)]
                    m.next = "ANSWER"
                with m.Elif(self.eject.valid):
                    read = head.operation == PacketOperation.READ_RESPONSE
                    transaction = head.transaction
                    m.d.comb += self.eject.ready.eq(1)
                    m.d.sync += [
                        owner.eq(transaction),
                        error.eq(head.error),
                        parity.eq(head.parity),
                        network.eq(0),
                        is_data.eq(read & ~head.error),
                        words_left.eq(Mux(read, head.length + 1, 1)),
                    ]
                    with m.If(self.eject.payload.head):
                        with m.If(self._late.bit_select(transaction, 1)):
                            m.d.sync += self._late.bit_select(transaction, 1).eq(0)
                        with m.Elif(self._waits.bit_select(transaction, 1)):
                            m.d.sync += self._waits.bit_select(transaction, 1).eq(0)
                            m.next = "ANSWER"
                        with m.Else():
                            m.d.sync += self._early.bit_select(transaction, 1).eq(1)
            with m.State("ANSWER"):
                breaks_off = is_data & self.eject.valid & self.eject.payload.head
                m.d.comb += [
                    offered.eq((~is_data | self.eject.valid) & ~breaks_off),
                    word.eq(Mux(is_data, self.eject.payload.payload.word_select(high, 32), 0)),
                    self.eject.ready.eq(
                        breaks_off | (is_data & taken & (high | (words_left == 1)))
                    ),
                ]
                m.d.sync += silence.eq(Mux(is_data & ~self.eject.valid, silence + 1, 0))
                with m.If(breaks_off | (silence == self.timeout)):
                    m.d.sync += [is_data.eq(0), error.eq(1), network.eq(1)]
                with m.If(taken):
                    m.d.sync += [words_left.eq(words_left - 1), high.eq(~high)]
                    with m.If(words_left == 1):
                        m.d.sync += [
                            self._busy.bit_select(owner, 1).eq(0),
                            self._refused.bit_select(owner, 1).eq(0),
                            self._waits.bit_select(owner, 1).eq(0),
                        ]
                        came = self._early.bit_select(owner, 1)
                        with m.If(self._waits.bit_select(owner, 1) & ~came):
                            m.d.sync += self._late.bit_select(owner, 1).eq(1)
                        m.next = "HEAD"
                        with m.If(spoilt):
                            m.next = "SPOILT"
            with m.State("SPOILT"):
                m.d.comb += self.eject.ready.eq(1)
                m.d.sync += silence.eq(silence + 1)
                with m.If(self.eject.valid | (silence == self.timeout)):
                    m.next = "HEAD"
