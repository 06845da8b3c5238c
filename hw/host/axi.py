"""AXI4 and AXI4-Lite as Amaranth signatures, seen from the master (the host).

Source: AMBA AXI and ACE protocol specification, Arm IHI 0022. A port named ``axil`` flattens to
``axil__awaddr`` and so on, which bus models find by the prefix ``axil_``.
"""

from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

DATA_BITS = 32
STROBE_BITS = DATA_BITS // 8
ID_BITS = 4
"""Width of the transaction identifiers of the AXI4 window."""


class Response(enum.Enum, shape=2):
    """AXI's answers."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


class Burst(enum.Enum, shape=2):
    """AXI's burst types."""

    FIXED = 0
    INCR = 1
    WRAP = 2


class AddressPayload(data.Struct):
    """What an address channel of AXI4 carries."""

    id: ID_BITS
    addr: 32
    len: 8
    size: 3
    burst: Burst
    lock: 1
    prot: 3


def _handshaken(channel: str, fields: dict[str, int]) -> dict[str, wiring.Member]:
    """The members of a channel driven by the master."""
    members = {f"{channel}{name}": Out(width) for name, width in fields.items()}
    return members | {f"{channel}valid": Out(1), f"{channel}ready": In(1)}


def _answered(channel: str, fields: dict[str, int]) -> dict[str, wiring.Member]:
    """The members of a channel driven by the slave."""
    members = {f"{channel}{name}": In(width) for name, width in fields.items()}
    return members | {f"{channel}valid": In(1), f"{channel}ready": Out(1)}


class AxiLite(wiring.Signature):
    """AXI4-Lite with 32-bit data."""

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                **_handshaken("aw", {"addr": address_bits, "prot": 3}),
                **_handshaken("w", {"data": DATA_BITS, "strb": STROBE_BITS}),
                **_answered("b", {"resp": 2}),
                **_handshaken("ar", {"addr": address_bits, "prot": 3}),
                **_answered("r", {"data": DATA_BITS, "resp": 2}),
            }
        )


class Axi4(wiring.Signature):
    """AXI4 with 32-bit data, 32-bit addresses and ``ID_BITS`` of identifier."""

    def __init__(self) -> None:
        address = {"id": ID_BITS, "addr": 32, "len": 8, "size": 3, "burst": 2, "lock": 1, "prot": 3}
        super().__init__(
            {
                **_handshaken("aw", address),
                **_handshaken("w", {"data": DATA_BITS, "strb": STROBE_BITS, "last": 1}),
                **_answered("b", {"id": ID_BITS, "resp": 2}),
                **_handshaken("ar", address),
                **_answered("r", {"id": ID_BITS, "data": DATA_BITS, "resp": 2, "last": 1}),
            }
        )
