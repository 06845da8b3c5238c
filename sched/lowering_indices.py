"""The index of a token of nested fan-outs in one number, and what follows for the chip's memory.

A token inside one map has that map's number as its index. Inside two, the inner map's number is
in the lowest ``inner_bits`` and the outer one's above them. A tensor whose slices are taken by
both numbers therefore has its rows 2^``inner_bits`` slices apart.
"""

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.block import BlockKind, IndexRule
from octopus.hw.layouts.space import WORD_BYTES
from octopus.hw.layouts.token import INDEX_BITS

from .program import LoweringError, Rows
from .workflow import Flow, Tensor, Workflow
from .workflow.scopes import carried, scopes, waits


class IndexPlan:
    """How the indices of a workflow are numbered, everywhere on the chip alike.

    Attributes
    ----------
    inner_bits: bits of an index that are the inner map's number.
    store_bits: bits of an index that token stores tell apart.
    scopes: the scope of each block.

    Raises:
        LoweringError: an index does not have so many bits, or a token store so many places.
    """

    def __init__(self, workflow: Workflow, config: OctopusConfig) -> None:
        self.workflow, self.config = workflow, config
        self.scopes = scopes(workflow)
        self._indexed_by_two = {
            binding.tensor
            for block, _, binding, _ in workflow.accesses()
            if binding.by_index and len(self.scopes[block.name]) > 1
        }
        self.inner_bits = self._inner_bits()
        self.store_bits = self._store_bits()

    @property
    def instances(self) -> int:
        """Instances that token stores have room for."""
        return self.config.control_block_unit.instances >> self.store_bits

    def nested(self, block: str) -> bool:
        """Whether a block is inside of a map."""
        return bool(self.scopes[block])

    def rule(self, flow: Flow) -> IndexRule:
        """What becomes of an index on its way along a flow."""
        brought, target = carried(self.workflow, flow, self.scopes), self.scopes[flow.target]
        if len(brought) == len(target):
            return IndexRule.KEEP
        return IndexRule.OUTER if target else IndexRule.CLEAR

    def rows(self, tensor: Tensor) -> Rows | None:
        """How the rows of a tensor lie if two maps index it; None if it is without gaps.

        Raises:
            LoweringError: rows with gaps, and a task that takes the whole tensor.
        """
        if tensor.name not in self._indexed_by_two:
            return None
        words = tensor.slice_of(1).words
        stride = tensor.slice_of(2).words << self.inner_bits
        if stride == words:
            return None
        for block, _, binding, _ in self.workflow.accesses():
            if binding.tensor == tensor.name and not binding.by_index:
                raise LoweringError(
                    f"block {block.name}: takes tensor {tensor.name} as a whole, which two maps "
                    f"index: its second dimension is {tensor.shape[1]}; allowed then: "
                    f"{1 << self.inner_bits}"
                )
        return Rows(tensor.shape[0], words, stride)

    def stride(self, block: str, tensor: Tensor) -> int:
        """Bytes from one index of a tensor's slices to the next, for a task."""
        depth = len(self.scopes[block])
        if depth == 1 and (rows := self.rows(tensor)):
            return rows.stride * WORD_BYTES
        return tensor.slice_of(depth).bytes

    def _inner_bits(self) -> int:
        """Enough for every inner map, and for every row that inner maps index."""
        inner = [b.operand for b in self.workflow.of_kind(BlockKind.MAP) if self.scopes[b.name]]
        rows = [self.workflow.tensors[name].shape[1] for name in self._indexed_by_two]
        bits = max((_bits(count) for count in inner + rows), default=0)
        for block in self.workflow.of_kind(BlockKind.MAP):
            if self.scopes[block.name]:
                outer = self.workflow.block(self.scopes[block.name][0])
                if _bits(outer.operand) + bits > INDEX_BITS:
                    raise LoweringError(
                        f"block {outer.name}: a limit of {outer.operand} outside of maps of up to "
                        f"{1 << bits}; allowed: {1 << INDEX_BITS - bits}, an index has "
                        f"{INDEX_BITS} bits"
                    )
        return bits

    def _store_bits(self) -> int:
        """Enough for every block that remembers tokens inside of a map."""
        needed, where = 0, ""
        for block in self.workflow.blocks:
            scope = self.scopes[block.name]
            if not scope or not waits(block):
                continue
            bits = _bits(self.workflow.block(scope[0]).operand)
            bits += self.inner_bits if len(scope) > 1 else 0
            if bits > needed:
                needed, where = bits, block.name
        limit = self.config.control_block_unit.instances
        if limit >> needed == 0:
            raise LoweringError(
                f"block {where}: tells {1 << needed} indices apart; allowed: {limit} "
                "(control_block_unit.instances)"
            )
        return needed


def _bits(count: int) -> int:
    """Bits of the numbers below ``count``."""
    return max(count - 1, 0).bit_length()
