"""Area and clock of the Task Block Unit and its parts on a Lattice ECP5-85F (speed grade 6).

    python scripts/synthesis_tbu.py --large                  # the whole unit, preset ulx3s
    python scripts/synthesis_tbu.py --blocks runner port --path

See ``synthesis.py`` for what the figures mean.
"""

import sys
from collections.abc import Callable

from synthesis import report_blocks

from octopus.hw.config import OctopusConfig
from octopus.hw.library import Block
from octopus.hw.memory import BankedMemory
from octopus.hw.tbu import TaskBlockUnit
from octopus.hw.tbu.configurator import StreamConfigurator
from octopus.hw.tbu.context_loader import ContextLoader
from octopus.hw.tbu.descriptor_fetcher import DescriptorFetcher
from octopus.hw.tbu.dispatch_queue import DispatchQueue
from octopus.hw.tbu.edge_port import EdgePort
from octopus.hw.tbu.input_dma import InputDma
from octopus.hw.tbu.memory_multiplexer import MemoryMultiplexer
from octopus.hw.tbu.output_dma import OutputDma
from octopus.hw.tbu.runner import Runner
from octopus.hw.tbu.task_block_unit import OUTSTANDING_BURSTS
from octopus.hw.tbu.window_allocator import WindowAllocator


def _address_bits(config: OctopusConfig) -> int:
    return (4 * config.task_block_unit.scratchpad_words - 1).bit_length()


def _scratchpad(config: OctopusConfig) -> Block:
    unit, ports = config.task_block_unit, config.pea.rows + config.pea.columns + 1
    words, banks = unit.scratchpad_words, unit.scratchpad_banks
    return BankedMemory(words, banks, ports, ports, scrub=True, yielding=True, registered=True)


def _dma(kind: type[InputDma] | type[OutputDma], config: OctopusConfig) -> Block:
    words, burst = config.task_block_unit.descriptor_words, config.cluster.burst_words
    return kind(config.pea, _address_bits(config), words, burst)


BLOCKS: dict[str, Callable[[OctopusConfig], Block]] = {
    "unit": TaskBlockUnit,
    "queue": lambda c: DispatchQueue(c.task_block_unit.descriptor_queue_depth),
    "fetcher": lambda c: DescriptorFetcher(
        c.pea, c.task_block_unit.descriptor_words, c.cluster.burst_words
    ),
    "loader": lambda c: ContextLoader(c.pea, c.cluster.burst_words),
    "allocator": lambda c: WindowAllocator(c.pea),
    "input_dma": lambda c: _dma(InputDma, c),
    "output_dma": lambda c: _dma(OutputDma, c),
    "configurator": lambda c: StreamConfigurator(
        c.pea, _address_bits(c), c.task_block_unit.descriptor_words
    ),
    "runner": lambda c: Runner(c.pea),
    "port": lambda c: EdgePort(_address_bits(c), max(c.task_block_unit.stream_fifo_depth, 4)),
    "multiplexer": lambda c: MemoryMultiplexer(4, OUTSTANDING_BURSTS, c.cluster.regions),
    "scratchpad": _scratchpad,
}


if __name__ == "__main__":
    sys.exit(report_blocks(__doc__, BLOCKS, default="unit"))
