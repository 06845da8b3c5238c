"""Area and clock of the host bridge and its parts on a Lattice ECP5-85F (speed grade 6).

    python scripts/synthesis_host.py                          # the whole bridge, preset ulx3s
    python scripts/synthesis_host.py --blocks registers commander --path

See ``synthesis.py`` for what the figures mean.
"""

import sys
from collections.abc import Callable

from synthesis import report_blocks

from octopus.hw.cluster.remote_requester import RemoteRequester
from octopus.hw.config import OctopusConfig
from octopus.hw.host.address_check import AddressCheck
from octopus.hw.host.axi_lite_slave import AxiLiteSlave
from octopus.hw.host.bridge import HostBridge
from octopus.hw.host.commander import InstanceCommander
from octopus.hw.host.completion_queue import CompletionQueue
from octopus.hw.host.register_file import RegisterFile
from octopus.hw.host.window_read import WindowRead
from octopus.hw.host.window_write import WindowWrite
from octopus.hw.library import Block

BLOCKS: dict[str, Callable[[OctopusConfig], Block]] = {
    "bridge": HostBridge,
    "axi_lite_slave": lambda c: AxiLiteSlave(),
    "registers": RegisterFile,
    "completion_queue": lambda c: CompletionQueue(c.host.completion_queue_depth),
    "commander": lambda c: InstanceCommander(
        c.mesh.columns, c.mesh.rows, c.control_block_unit.instances
    ),
    "address_check": lambda c: AddressCheck(
        c.cluster.memory_words, c.mesh.columns, c.mesh.rows, write=True
    ),
    "window_read": lambda c: WindowRead(c.cluster.burst_words),
    "window_write": lambda c: WindowWrite(c.cluster.burst_words),
    "requester": lambda c: RemoteRequester(
        3, c.mesh.columns, c.mesh.rows, host=True, timeout=c.data_network.timeout
    ),
}


if __name__ == "__main__":
    sys.exit(report_blocks(__doc__, BLOCKS, default="bridge"))
