"""The rule of every handshake, AXI's and Amaranth's streams alike."""

from typing import Any

from amaranth.hdl import Module, Signal, Value

from .property import Property


def kept_until_ready(m: Module, valid: Value, ready: Value, payload: Value) -> Value:
    """The handshake's rule: what is offered stays, unchanged, until it is taken."""
    waits, before = Signal(), Signal(len(payload))
    m.d.sync += [waits.eq(valid & ~ready), before.eq(payload)]
    return ~waits | (valid & (payload == before))


def offered_until_taken(item: Property, m: Module, stream: Any) -> None:
    """Whoever drives ``stream`` keeps to the rule."""
    payload = Value.cast(stream.payload)
    item.assume(kept_until_ready(m, stream.valid, stream.ready, payload))
