"""A range of instance slots as a signal, and the question whether an instance is in it."""

from amaranth.hdl import Value
from amaranth.lib import data

from ..layouts.token import INSTANCE_BITS


class InstanceRange(data.Struct):
    """Instances ``first`` to ``last``, if ``valid``; none if ``last`` is below ``first``."""

    valid: 1
    first: INSTANCE_BITS
    last: INSTANCE_BITS


def contains(instances: data.View, instance: Value) -> Value:
    """Whether ``instance`` is one of ``instances``."""
    return instances.valid & (instance >= instances.first) & (instance <= instances.last)
