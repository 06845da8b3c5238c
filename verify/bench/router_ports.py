"""The links of a router under cocotb: a sender that obeys credits, a receiver that gives them."""

from collections import deque
from random import Random
from typing import Any

from octopus.verify.golden.router import FlitModel, NodeModel, Side

COORDINATE_BITS = 5


def node_bits(node: NodeModel) -> int:
    """A destination as it stands in the low bits of a head flit."""
    return node.x | node.y << COORDINATE_BITS | node.host << 2 * COORDINATE_BITS


class LinkSender:
    """Sends packets on one input link of the router, interleaving its channels at will.

    Parameters
    ----------
    device: the cocotb handle. side: which input.
    flit_bits, virtual_channels, buffer_depth: of the router.
    """

    def __init__(
        self, device: Any, side: Side, flit_bits: int, virtual_channels: int, buffer_depth: int
    ) -> None:
        name = f"{side.name.lower()}_in"
        self.side = side
        self.flit_bits = flit_bits
        self.buffer_depth = buffer_depth
        self.queues: list[deque[tuple[FlitModel, NodeModel]]] = [
            deque() for _ in range(virtual_channels)
        ]
        self.credits = [buffer_depth] * virtual_channels
        self._valid = getattr(device, f"{name}__valid")
        self._flit = getattr(device, f"{name}__flit")
        self._parity = getattr(device, f"{name}__parity")
        self._channel = getattr(device, f"{name}__channel")
        self._credit = getattr(device, f"{name}__credit")

    def reset(self) -> None:
        """Forget everything, as the router does."""
        for queue in self.queues:
            queue.clear()
        self.credits = [self.buffer_depth] * len(self.queues)
        self._valid.value = 0

    def cycle(self, random: Random, rate: float) -> tuple[int, FlitModel, NodeModel] | None:
        """Play one cycle; the channel, flit and destination that went on the link."""
        usable = [
            channel for channel, queue in enumerate(self.queues) if queue and self.credits[channel]
        ]
        sent = None
        if usable and random.random() < rate:
            channel = random.choice(usable)
            flit, destination = self.queues[channel].popleft()
            self.credits[channel] -= 1
            bits = flit.payload | flit.head << self.flit_bits | flit.tail << self.flit_bits + 1
            self._flit.value = bits
            self._parity.value = (bits.bit_count() + 1) & 1
            self._channel.value = channel
            sent = channel, flit, destination
        self._valid.value = sent is not None
        return sent

    def take_credits(self) -> None:
        """Collect what the router gives back in this cycle.

        Raises:
            AssertionError: it gives more credits than its buffer has places.
        """
        given = int(self._credit.value)
        for channel in range(len(self.queues)):
            self.credits[channel] += given >> channel & 1
            assert self.credits[channel] <= self.buffer_depth, (
                f"{self.side.name} in, channel {channel}: a credit too many"
            )


class LinkReceiver:
    """Takes flits from one output link and gives credits back when it likes.

    Parameters as for :class:`LinkSender`.
    """

    def __init__(
        self, device: Any, side: Side, flit_bits: int, virtual_channels: int, buffer_depth: int
    ) -> None:
        name = f"{side.name.lower()}_out"
        self.side = side
        self.flit_bits = flit_bits
        self.buffer_depth = buffer_depth
        self.held = [0] * virtual_channels
        self._valid = getattr(device, f"{name}__valid")
        self._flit = getattr(device, f"{name}__flit")
        self._parity = getattr(device, f"{name}__parity")
        self._channel = getattr(device, f"{name}__channel")
        self._credit = getattr(device, f"{name}__credit")

    def reset(self) -> None:
        """Forget everything, as the router does."""
        self.held = [0] * len(self.held)
        self._credit.value = 0

    def cycle(self, random: Random, rate: float) -> tuple[int, FlitModel] | None:
        """Play one cycle; the channel and flit on the link, if there is one.

        Raises:
            AssertionError: wrong parity, or a flit without a credit.
        """
        credits = 0
        for channel, held in enumerate(self.held):
            if held and random.random() < rate:
                credits |= 1 << channel
                self.held[channel] -= 1
        got = None
        if int(self._valid.value):
            bits, channel = int(self._flit.value), int(self._channel.value)
            assert (bits.bit_count() + int(self._parity.value)) & 1, f"{self.side.name} out: parity"
            self.held[channel] += 1
            assert self.held[channel] <= self.buffer_depth, (
                f"{self.side.name} out, channel {channel}: a flit without a credit"
            )
            got = (
                channel,
                FlitModel(
                    bits & (1 << self.flit_bits) - 1,
                    bool(bits >> self.flit_bits & 1),
                    bool(bits >> self.flit_bits + 1 & 1),
                ),
            )
        self._credit.value = credits
        return got
