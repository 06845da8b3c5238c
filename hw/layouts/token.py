"""Tokens and task messages: what moves along a Task Flow, and between CBU and TBU."""

from amaranth.lib import data, enum

from .descriptor import Status
from .region import DOMAIN_BITS
from .space import Node

BLOCK_BITS = 10
INSTANCE_BITS = 8
INDEX_BITS = 12
ARM_BITS = 5
SHARD_BITS = 4


class TokenKind(enum.Enum, shape=3):
    """``ARRIVE``: a token arrives at a block. ``EXPECT``: tells a gather how many to await.
    ``COMPLETE``: a sink hands its result to the host. ``FAULT``: a block failed (to the host).
    ``FORECAST``: tells a task block how many tokens will come."""

    ARRIVE = 0
    EXPECT = 1
    COMPLETE = 2
    FAULT = 3
    FORECAST = 4


class Token(data.Struct):
    """The payload of a control-network packet."""

    kind: TokenKind
    block: BLOCK_BITS
    instance: INSTANCE_BITS
    index: INDEX_BITS
    status: Status
    value: 32


class ControlPacket(data.Struct):
    """A single-flit control packet. ``destination`` comes first: the router reads only that."""

    destination: Node
    token: Token


class Dispatch(data.Struct):
    """CBU to TBU: run the task whose descriptor lies at ``descriptor`` (global byte address).

    ``domain`` is that of the block entry: what the task may touch is looked up under it.
    """

    descriptor: 32
    block: BLOCK_BITS
    instance: INSTANCE_BITS
    index: INDEX_BITS
    shard: SHARD_BITS
    shards: SHARD_BITS
    value: 32
    domain: DOMAIN_BITS


class Completion(data.Struct):
    """TBU to CBU: the task ended. ``busy_cycles``: from dispatch accepted to completion."""

    block: BLOCK_BITS
    instance: INSTANCE_BITS
    index: INDEX_BITS
    shard: SHARD_BITS
    status: Status
    value: 32
    busy_cycles: 32
    array_cycles: 32
