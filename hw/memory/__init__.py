"""Memories: banked storage for scratchpads and the cluster's shared memory."""

from .banked import BankedMemory
from .cluster import ClusterMemory
from .ports import BankReadPort, BankWritePort, is_damaged, write_layout

__all__ = [
    "BankReadPort",
    "BankWritePort",
    "BankedMemory",
    "ClusterMemory",
    "is_damaged",
    "write_layout",
]
