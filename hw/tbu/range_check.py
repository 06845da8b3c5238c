"""Where a task's scratchpad address lies in the scratchpad."""

from amaranth.hdl import Cat, Value, ValueLike
from amaranth.lib import data


def in_window(address: Value, address_bits: int, window: data.View) -> Value:
    """Whether a byte address, of any width above ``address_bits``, lies in the task's window."""
    beyond = address[address_bits:].any()
    return ~(beyond | (address[address_bits - 1] & window.half))


def place(address: Value, address_bits: int, window: data.View) -> ValueLike:
    """The scratchpad address of a task's address that lies in its window."""
    top = address[address_bits - 1] | (window.half & window.upper)
    return Cat(address[: address_bits - 1], top)
