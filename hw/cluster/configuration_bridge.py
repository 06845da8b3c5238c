"""Separates accesses to a cluster's configuration space from those to its memory."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from ..interfaces import ConfigurationPort, MemoryPort
from ..layouts.memory import LENGTH_BITS, MemoryRequest
from ..layouts.space import CONFIGURATION_BIT
from ..library import Block


class ConfigurationBridge(Block):
    """Bursts with the configuration bit set become single configuration accesses.

    One burst at a time. A burst of several words becomes one access a word.

    Ports
    -----
    client (in): :class:`MemoryPort`.
    memory (out): :class:`MemoryPort` for everything else.
    configuration (out): :class:`ConfigurationPort`.

    Timing: a cycle to take a request, then combinational; configuration accesses at the pace of
    their answers.

    Errors: a write that does not enable all four bytes is answered with ``error`` and not made;
    errors of the configuration space are passed on (of a write burst, if any of its words failed).
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "client": In(MemoryPort()),
                "memory": Out(MemoryPort()),
                "configuration": Out(ConfigurationPort()),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Build the bridge's state machine."""
        m = Module()
        request = Signal(MemoryRequest)
        left = Signal(LENGTH_BITS + 1)
        failed = Signal()
        client, memory = self.client, self.memory
        m.d.comb += [
            memory.request.payload.eq(request),
            memory.write.payload.eq(client.write.payload),
            self.configuration.request.payload.write.eq(request.write),
            self.configuration.request.payload.offset.eq(request.address),
            self.configuration.request.payload.data.eq(client.write.payload),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += client.request.ready.eq(1)
                m.d.sync += [
                    request.eq(client.request.payload),
                    left.eq(client.request.payload.length + 1),
                    failed.eq(0),
                ]
                with m.If(client.request.valid):
                    m.next = "MEMORY"
                    with m.If(client.request.payload.address[CONFIGURATION_BIT]):
                        m.next = "ACCESS"
            with m.State("MEMORY"):
                m.d.comb += memory.request.valid.eq(1)
                with m.If(memory.request.ready):
                    m.next = "WORDS"
                    with m.If(~request.write):
                        m.next = "RESPONSES"
            with m.State("WORDS"):
                m.d.comb += [
                    memory.write.valid.eq(client.write.valid),
                    client.write.ready.eq(memory.write.ready),
                ]
                with m.If(client.write.valid & client.write.ready):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.next = "RESPONSES"
            with m.State("RESPONSES"):
                m.d.comb += [
                    client.response.payload.eq(memory.response.payload),
                    client.response.valid.eq(memory.response.valid),
                    memory.response.ready.eq(client.response.ready),
                ]
                with m.If(
                    client.response.valid & client.response.ready & client.response.payload.last
                ):
                    m.next = "IDLE"
            self._configuration(m, request, left, failed)
        return m

    def _configuration(self, m: Module, request: Any, left: Signal, failed: Signal) -> None:
        """The states of an access to configuration space, once a word."""
        client, configuration = self.client, self.configuration
        whole = request.mask.all()
        answer = client.response
        with m.State("ACCESS"):
            ready = ~request.write | client.write.valid
            skip = request.write & ~whole
            m.d.comb += [
                configuration.request.valid.eq(ready & ~skip),
                client.write.ready.eq(request.write & (skip | configuration.request.ready)),
            ]
            with m.If(ready & skip):
                m.d.sync += [failed.eq(1), left.eq(left - 1)]
                with m.If(left == 1):
                    m.next = "ACKNOWLEDGE"
            with m.Elif(ready & configuration.request.ready):
                m.next = "RESULT"
        with m.State("RESULT"):
            response = configuration.response
            m.d.comb += [
                response.ready.eq(request.write | answer.ready),
                answer.valid.eq(response.valid & ~request.write),
                answer.payload.data.eq(Mux(response.payload.error, 0, response.payload.data)),
                answer.payload.error.eq(response.payload.error),
                answer.payload.last.eq(left == 1),
            ]
            with m.If(response.valid & response.ready):
                m.d.sync += [
                    failed.eq(failed | response.payload.error),
                    left.eq(left - 1),
                    request.address.eq(request.address + 4),
                ]
                m.next = "ACCESS"
                with m.If(left == 1):
                    m.next = "IDLE"
                    with m.If(request.write):
                        m.next = "ACKNOWLEDGE"
        with m.State("ACKNOWLEDGE"):
            m.d.comb += [
                answer.valid.eq(1),
                answer.payload.last.eq(1),
                answer.payload.error.eq(failed),
            ]
            with m.If(answer.ready):
                m.next = "IDLE"
