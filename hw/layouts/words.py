"""Structures to and from lists of 32-bit words, for software that writes memory images."""

from collections.abc import Sequence
from typing import Any

from amaranth.lib import data

WORD_MASK = 0xFFFFFFFF


def pack(layout: type[data.Struct], fields: dict[str, Any]) -> list[int]:
    """The words of a structure, least significant first.

    Negative integers are stored in two's complement; fields left out are zero.

    Raises:
        ValueError: a field is unknown, or its value does not fit.
    """
    view = data.Layout.cast(layout)
    members = dict(view)
    checked: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in members:
            raise ValueError(f"{layout.__name__} has no field {name!r}; it has {list(members)}")
        width = members[name].width
        if isinstance(value, dict):
            checked[name] = value
            continue
        number = int(getattr(value, "value", value))
        if not -(1 << (width - 1)) <= number < 1 << width:
            raise ValueError(f"{layout.__name__}.{name} is {number}; it has {width} bits")
        checked[name] = value if hasattr(value, "value") else number & ((1 << width) - 1)
    bits = int(view.const(checked).as_value().value)
    return [(bits >> (32 * i)) & WORD_MASK for i in range((view.size + 31) // 32)]


def unpack(layout: type[data.Struct], words: Sequence[int]) -> dict[str, int]:
    """The fields of a structure as plain unsigned integers (nested structures as their bits).

    Raises:
        ValueError: fewer words than the structure needs.
    """
    view = data.Layout.cast(layout)
    needed = (view.size + 31) // 32
    if len(words) < needed:
        raise ValueError(f"{layout.__name__} needs {needed} words, got {len(words)}")
    bits = sum((int(word) & WORD_MASK) << (32 * i) for i, word in enumerate(words[:needed]))
    return {name: (bits >> field.offset) & ((1 << field.width) - 1) for name, field in view}
