"""The Task Block Unit: controller, scratchpad, streams and array."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import OctopusConfig
from ..interfaces import MemoryPort
from ..layouts.activity import Activity, ActivityState
from ..layouts.counters import COUNTERS, CycleCounter
from ..layouts.region import RegionEntry
from ..layouts.space import COORDINATE_BITS, OFFSET_BITS
from ..layouts.token import Completion, Dispatch
from ..library import Block, add_block
from ..memory import BankedMemory
from ..pea.array_core import ArrayCore
from .completer import Completer
from .configurator import StreamConfigurator
from .context_loader import ContextLoader
from .descriptor_fetcher import DescriptorFetcher
from .dispatch_queue import DispatchQueue
from .edge_port import EdgePort
from .input_dma import InputDma
from .input_stream import MINIMUM_DEPTH
from .layouts import DESCRIPTOR_SLOTS, LOADED_TASKS
from .memory_multiplexer import MemoryMultiplexer
from .output_dma import OutputDma
from .runner import Runner
from .start_gate import StartGate
from .task_queue import TaskQueue
from .unit_counters import COUNTER_BITS, UnitCounters
from .window_allocator import WindowAllocator
from .window_scrubber import WindowScrubber

OUTSTANDING_BURSTS = 8
"""Bursts a TBU may have under way at once."""


class TaskBlockUnit(Block):
    """Carries out dispatched tasks: a pipeline of stages around one array.

    Descriptor fetch, context load, input DMA, run, and output DMA work on different tasks at
    the same time, so that the array goes from task to task without waiting for its controller.

    Parameters
    ----------
    config: the chip's configuration; of it the sections ``task_block_unit`` and ``pea`` and
    ``cluster.burst_words`` and ``cluster.regions`` count.

    Ports
    -----
    dispatch: stream in of :class:`Dispatch`, carried out in order.
    announced: in, with ``dispatch``: it is the task of the last hint (see :class:`DispatchQueue`).
    hint, hint_valid: in, a dispatch that is likely to come and may be prepared; forget: in, pulse:
    what has been prepared is out of date (see :class:`DispatchQueue`).
    completion: stream out of :class:`Completion`, one for every dispatch, in order.
    memory: ``Out(MemoryPort)``, any address of the chip.
    kernel_table_address: in, 22 bits, byte offset in the own cluster; kernel_count: in, 16 bits.
    x, y: in, the own cluster's coordinates.
    cancel: in, 1 bit, ends the present run with ABORTED; closed: in, a bit an instance, ends every
    run of these instances with ABORTED.
    regions: in, the region table; regions_changed: in, pulse, it has been written.
    counter_index: in, counter: out, one of :mod:`octopus.hw.layouts.counters`, a cycle later.
    activity: out, :class:`Activity`.

    Timing: see ``docs/tbu.md``. All outputs are registers but ``memory.response.ready``, which
    depends combinationally on ``memory.response.valid`` and the scratchpad's arbitration.
    Errors: every failure ends in a completion with its status; the unit stays ready.
    Source: own.
    """

    def __init__(self, config: OctopusConfig) -> None:
        self.unit = config.task_block_unit
        self.pea = config.pea
        self.burst_words = config.cluster.burst_words
        self.instances = config.control_block_unit.instances
        self.region_count = config.cluster.regions
        super().__init__(
            {
                "dispatch": In(stream.Signature(Dispatch)),
                "announced": In(1),
                "hint": In(Dispatch),
                "hint_valid": In(1),
                "forget": In(1),
                "completion": Out(stream.Signature(Completion)),
                "memory": Out(MemoryPort()),
                "kernel_table_address": In(OFFSET_BITS),
                "kernel_count": In(16),
                "x": In(COORDINATE_BITS),
                "y": In(COORDINATE_BITS),
                "regions": In(data.ArrayLayout(RegionEntry, self.region_count)),
                "regions_changed": In(1),
                "counter_index": In(range(COUNTERS)),
                "counter": Out(COUNTER_BITS),
                "cancel": In(1),
                "closed": In(self.instances),
                "activity": Out(Activity),
            },
            unit=self.unit,
            pea=self.pea,
            burst_words=self.burst_words,
            instances=self.instances,
            regions=self.region_count,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        unit, pea, burst = self.unit, self.pea, self.burst_words
        address_bits = (4 * unit.scratchpad_words - 1).bit_length()
        edges = pea.rows + pea.columns
        depth = max(unit.stream_fifo_depth, MINIMUM_DEPTH)

        queue = DispatchQueue(unit.descriptor_queue_depth)
        fetcher = DescriptorFetcher(pea, unit.descriptor_words, burst)
        loader = ContextLoader(pea, burst)
        loaded = TaskQueue(pea, LOADED_TASKS)
        allocator = WindowAllocator(pea)
        filler = InputDma(pea, address_bits, unit.descriptor_words, burst)
        configurator = StreamConfigurator(pea, address_bits, unit.descriptor_words)
        gate = StartGate(pea)
        runner = Runner(pea)
        storer = OutputDma(pea, address_bits, unit.descriptor_words, burst)
        completer = Completer(pea)
        multiplexer = MemoryMultiplexer(4, OUTSTANDING_BURSTS, self.region_count)
        buffer = BankedMemory(DESCRIPTOR_SLOTS * unit.descriptor_words, 1, 3, 1)
        scratchpad = BankedMemory(
            unit.scratchpad_words,
            unit.scratchpad_banks,
            edges + 1,
            edges + 1,
            scrub=True,
            yielding=True,  # DMA, the last port, hardly ever makes the array wait
        )
        scrubber = WindowScrubber(scratchpad.row_bits)
        counters = UnitCounters()
        core = ArrayCore(pea)
        for name, block in (
            ("queue", queue),
            ("fetcher", fetcher),
            ("loader", loader),
            ("loaded", loaded),
            ("allocator", allocator),
            ("filler", filler),
            ("configurator", configurator),
            ("gate", gate),
            ("runner", runner),
            ("storer", storer),
            ("completer", completer),
            ("multiplexer", multiplexer),
            ("buffer", buffer),
            ("scratchpad", scratchpad),
            ("scrubber", scrubber),
            ("counters", counters),
            ("core", core),
        ):
            add_block(m, platform, name, block)

        now = Signal(32)
        m.d.sync += now.eq(now + 1)
        wiring.connect(m, wiring.flipped(self.dispatch), queue.dispatch)
        wiring.connect(m, queue.fetch, fetcher.dispatch)

        # The stages, in order.
        wiring.connect(m, fetcher.task, loader.task)
        wiring.connect(m, loader.loaded, loaded.incoming)
        wiring.connect(m, loaded.outgoing, allocator.task)
        wiring.connect(m, allocator.placed, filler.task)
        wiring.connect(m, filler.filled, configurator.task)
        wiring.connect(m, configurator.configured, gate.task)
        wiring.connect(m, gate.passed, runner.task)
        wiring.connect(m, runner.ended, storer.task)
        wiring.connect(m, storer.stored, completer.task)
        wiring.connect(m, completer.completion, wiring.flipped(self.completion))
        m.d.comb += [
            queue.now.eq(now),
            queue.announced.eq(self.announced),
            queue.hint.eq(self.hint),
            queue.hint_valid.eq(self.hint_valid),
            queue.forget.eq(self.forget | self.regions_changed),
            queue.resolved.eq(gate.resolved),
            # What comes next to a stage is told to it: it may begin with what needs no place.
            filler.upcoming.eq(loaded.outgoing.payload),
            filler.upcoming_valid.eq(loaded.outgoing.valid),
            configurator.upcoming.eq(filler.filling),
            configurator.upcoming_valid.eq(filler.filling_valid),
            storer.upcoming.eq(runner.ending),
            storer.upcoming_valid.eq(runner.ending_valid),
            gate.verdict.eq(queue.verdict),
            filler.verdict.eq(queue.verdict.verdict),
            fetcher.now.eq(now),
            completer.now.eq(now),
            fetcher.finished.eq(completer.finished),
            allocator.release.eq(completer.release),
            allocator.release_window.eq(completer.release_window),
            fetcher.gentle.eq(runner.running),
            loader.gentle.eq(runner.running),
            loader.release.eq(runner.release),
            loader.release_bank.eq(runner.release_bank),
            loader.kernel_table_address.eq(self.kernel_table_address),
            loader.kernel_count.eq(self.kernel_count),
            loader.forget.eq(self.regions_changed),
            allocator.forget.eq(self.regions_changed),
            scrubber.start.eq(allocator.scrub),
            scrubber.window.eq(allocator.scrub_window),
            allocator.scrubbing.eq(scrubber.busy),
            scratchpad.scrub.eq(scrubber.scrub),
            scratchpad.scrub_row.eq(scrubber.row),
            loader.x.eq(self.x),
            loader.y.eq(self.y),
        ]

        # Memory, descriptor buffer, scratchpad.
        for index, client in enumerate((fetcher, loader, filler, storer)):
            wiring.connect(m, client.memory, multiplexer.clients[index])
        m.d.comb += multiplexer.regions.eq(self.regions)
        wiring.connect(m, storer.write, multiplexer.write)
        wiring.connect(m, multiplexer.memory, wiring.flipped(self.memory))
        wiring.connect(m, fetcher.buffer, buffer.writes[0])
        for index, reader in enumerate((filler, configurator, storer)):
            wiring.connect(m, reader.buffer, buffer.reads[index])
        wiring.connect(m, filler.scratchpad, scratchpad.writes[edges])
        wiring.connect(m, storer.scratchpad, scratchpad.reads[edges])

        # The array and its edges.
        wiring.connect(m, loader.context_write, core.context_write)
        wiring.connect(m, runner.command, core.command)
        ports = [EdgePort(address_bits, depth) for _ in range(edges)]
        setups = [*configurator.west, *configurator.north]
        inputs = [*core.west_in, *core.north_in]
        outputs = [*core.west_out, *core.north_out]
        for index, port in enumerate(ports):
            name = f"west{index}" if index < pea.rows else f"north{index - pea.rows}"
            add_block(m, platform, name, port)
            wiring.connect(m, setups[index], port.setup)
            wiring.connect(m, inputs[index], port.array_input)
            wiring.connect(m, outputs[index], port.array_output)
            wiring.connect(m, port.read, scratchpad.reads[index])
            wiring.connect(m, port.write, scratchpad.writes[index])
            m.d.comb += [
                port.control.epoch.eq(runner.control.epoch),
                port.control.start.eq(runner.control.start),
                port.control.drain_epoch.eq(runner.control.drain_epoch),
            ]
        m.d.comb += [
            runner.headers.eq(loader.headers),
            runner.done.eq(core.done),
            runner.advance.eq(core.advance),
            runner.cancel.eq(self.cancel | self.closed.bit_select(runner.run_instance, 1)),
            core.abort.eq(runner.stop),
            *(
                getattr(runner.control, name).eq(
                    Cat(getattr(port.control, name) for port in ports).any()
                )
                for name in ("holds", "fault", "drain_fault", "damaged")
            ),
        ]
        self._report_activity(m, fetcher, loader, filler, runner, storer)
        self._count(m, counters, completer, core, outputs)
        with m.If(~core.running):
            for cause, active in (  # the first that applies comes last
                (CycleCounter.OUTPUT, runner.draining | storer.active),
                (CycleCounter.FETCH, fetcher.active | fetcher.dispatch.valid),
                (CycleCounter.CONTEXT, loader.active),
                (CycleCounter.SCRATCHPAD, allocator.waiting),
                (CycleCounter.INPUT, filler.active),
                (CycleCounter.SET_UP, configurator.active),
            ):
                with m.If(active):
                    m.d.comb += counters.cycle.eq(cause)
        return m

    def _count(self, m: Module, counters: Any, completer: Any, core: Any, outputs: Any) -> None:
        """Completions, and the cycles of runs; what the others wait for is added by the caller."""
        blocked = Cat(output.valid & ~output.ready for output in outputs).any()
        m.d.comb += [
            self.counter.eq(counters.value),
            counters.index.eq(self.counter_index),
            counters.completed.eq(completer.finished & ~completer.task.payload.prepared),
            counters.status.eq(completer.task.payload.status),
            counters.cycle.eq(CycleCounter.IDLE),
        ]
        with m.If(core.advance):
            m.d.comb += counters.cycle.eq(CycleCounter.ADVANCE)
        with m.Elif(core.running & core.executing):
            m.d.comb += counters.cycle.eq(
                Mux(blocked, CycleCounter.STALL_OUT, CycleCounter.STALL_IN)
            )
        with m.Elif(core.running):
            m.d.comb += counters.cycle.eq(CycleCounter.GAP)

    def _report_activity(
        self, m: Module, fetcher: Any, loader: Any, filler: Any, runner: Any, storer: Any
    ) -> None:
        state = Signal(ActivityState)
        with m.If(runner.running):
            m.d.comb += state.eq(ActivityState.RUN)
        with m.Elif(runner.draining | storer.active):
            m.d.comb += state.eq(ActivityState.OUTPUT)
        with m.Elif(filler.active):
            m.d.comb += state.eq(ActivityState.INPUT)
        with m.Elif(loader.active):
            m.d.comb += state.eq(ActivityState.CONTEXT_LOAD)
        with m.Elif(fetcher.active):
            m.d.comb += state.eq(ActivityState.FETCH)
        m.d.sync += [
            self.activity.state.eq(state),
            self.activity.block.eq(runner.run_block),
            self.activity.instance.eq(runner.run_instance),
        ]
