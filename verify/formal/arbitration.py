"""What every arbiter must do, whatever its scheme."""

from amaranth.hdl import Module, Signal, Value

from .property import Property


def require_fair(item: Property, m: Module, request: Value, grant: Value, advance: Value) -> None:
    """Grants are one-hot, to who asks, and nobody is passed over more than n - 1 times.

    Parameters
    ----------
    request, grant: a bit a requester. advance: the grant is used.
    """
    count = len(request)
    watched = item.constant(m, range(count), "watched")
    item.assume(watched < count)
    served = grant.bit_select(watched, 1)
    waits = request.bit_select(watched, 1) & ~(served & advance)
    others = Signal(range(count + 2))
    with m.If(~waits):
        m.d.sync += others.eq(0)
    with m.Elif(advance & grant.any() & ~served):
        m.d.sync += others.eq(others + 1)
    item.require("at most one grant", (grant & (grant - 1)) == 0)
    item.require("only to who asks", (grant & ~request) == 0)
    item.require("somebody if anybody asks", grant.any() == request.any())
    item.require("at most n - 1 grants to others first", others < count)
    item.cover("waits as long as may be", (others == count - 1) & served)
