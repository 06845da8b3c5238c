"""cocotb bench that runs a workload through the AXI ports and writes down how long it took.

Toplevel: ``hw.chip.Chip`` of the configuration named by ``OCTOPUS_BENCH_CONFIG``. The clock and the
bus models are cocotb's, so that Python runs in every cycle, as in any cocotb bench.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge

from octopus.hw.config import OctopusConfig
from octopus.sched.job import Job
from octopus.sched.runtime import Runtime
from octopus.sim.cocotb_transport import CocotbTransport
from octopus.sim.driver import ChipDriver

PERIOD_NS = 10
FIGURES = "figures.json"
"""Written into the folder of the run: cycles, CPU seconds, differences from the reference."""


@cocotb.test()
async def a_workload_is_timed(dut: Any) -> None:
    """The cascade, ``OCTOPUS_BENCH_COUNT`` instances of it."""
    config = OctopusConfig.load(os.environ["OCTOPUS_BENCH_CONFIG"])
    job = Job.prepare("cascade", config, count=int(os.environ["OCTOPUS_BENCH_COUNT"]))
    Clock(dut.clk, PERIOD_NS, "ns").start()
    transport = CocotbTransport(dut, PERIOD_NS)
    await transport.reset()

    def host() -> dict[str, float]:
        runtime = Runtime(ChipDriver(transport), job.program)
        runtime.load()
        start, cpu = transport.cycles, time.process_time()
        report = runtime.run(job.instances)
        seconds = time.process_time() - cpu
        differences = len(report.differences(job.references))
        return {"cycles": transport.cycles - start, "cpu": seconds, "differences": differences}

    figures = await bridge(host)()
    Path(FIGURES).write_text(json.dumps(figures))
    assert figures["differences"] == 0
