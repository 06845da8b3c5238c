"""The Task Block Unit: controller, scratchpad, streams and array."""

from typing import Any, TypeVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import OctopusConfig
from ..interfaces import MemoryPort
from ..layouts.activity import Activity, ActivityState, Progress, Stage, TakenTask, WordKind
from ..layouts.counters import COUNTERS, CycleCounter
from ..layouts.region import RegionEntry
from ..layouts.space import COORDINATE_BITS, OFFSET_BITS
from ..layouts.token import Completion, Dispatch
from ..library import Block, add_block
from ..memory import BankedMemory
from ..pea.array_core import ArrayCore
from ..stream_register import StreamRegister
from .completer import Completer
from .configurator import StreamConfigurator
from .context_loader import ContextLoader
from .descriptor_fetcher import DescriptorFetcher
from .dispatch_queue import DispatchQueue
from .edge_port import EdgePort
from .input_dma import InputDma
from .input_stream import MINIMUM_DEPTH
from .layouts import DESCRIPTOR_SLOTS, task_layout
from .memory_multiplexer import MemoryMultiplexer
from .output_dma import OutputDma
from .runner import Runner
from .start_gate import StartGate
from .unit_counters import COUNTER_BITS, UnitCounters
from .window_allocator import WindowAllocator
from .window_scrubber import WindowScrubber

Added = TypeVar("Added", bound=Block)

STAGES = 27
"""No more tasks are in the stages behind the queue: each holds one, most have one ahead of them."""

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
    activity, progress, taken: out, :class:`Activity`, :class:`Progress`, :class:`TakenTask`.
    word_active: out, a bit a :class:`WordKind`: such a word was moved.

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
        self.address_bits = (4 * self.unit.scratchpad_words - 1).bit_length()
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
                "progress": Out(Progress),
                "taken": Out(TakenTask),
                "word_active": Out(len(WordKind)),
            },
            unit=self.unit,
            pea=self.pea,
            burst_words=self.burst_words,
            instances=self.instances,
            regions=self.region_count,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._make(m, platform)
        self._join_stages(m)
        self._advise(m)
        self._join_memory(m)
        self._join_array(m, platform)
        self._report_activity(m)
        self._report_progress(m)
        self._count(m)
        return m

    def _make(self, m: Module, platform: Any) -> None:
        """Add the stages, the memories and the array."""
        unit, pea, burst = self.unit, self.pea, self.burst_words
        address_bits, edges = self.address_bits, pea.rows + pea.columns

        def add(name: str, block: Added) -> Added:
            add_block(m, platform, name, block)
            return block

        self.queue = add("queue", DispatchQueue(unit.descriptor_queue_depth))
        self.fetcher = add("fetcher", DescriptorFetcher(pea, unit.descriptor_words, burst))
        self.loader = add("loader", ContextLoader(pea, burst))
        # Tasks may wait here, so that a load may take longer than a run.
        self.loaded = add("loaded", StreamRegister(task_layout(pea)))
        self.allocator = add("allocator", WindowAllocator(pea))
        self.filler = add("filler", InputDma(pea, address_bits, unit.descriptor_words, burst))
        self.configurator = add(
            "configurator", StreamConfigurator(pea, address_bits, unit.descriptor_words)
        )
        self.gate = add("gate", StartGate(pea))
        self.runner = add("runner", Runner(pea))
        self.storer = add("storer", OutputDma(pea, address_bits, unit.descriptor_words, burst))
        self.completer = add("completer", Completer(pea))
        self.multiplexer = add(
            "multiplexer", MemoryMultiplexer(4, OUTSTANDING_BURSTS, self.region_count)
        )
        self.buffer = add("buffer", BankedMemory(DESCRIPTOR_SLOTS * unit.descriptor_words, 1, 3, 1))
        self.scratchpad = add(
            "scratchpad",
            BankedMemory(
                unit.scratchpad_words,
                unit.scratchpad_banks,
                edges + 1,
                edges + 1,
                scrub=True,
                yielding=True,  # DMA, the last port, hardly ever makes the array wait
                registered=True,
            ),
        )
        self.scrubber = add("scrubber", WindowScrubber(self.scratchpad.row_bits))
        self.counters = add("counters", UnitCounters())
        self.core = add("core", ArrayCore(pea))

    def _join_stages(self, m: Module) -> None:
        """The way of a task, from dispatch to completion."""
        wiring.connect(m, wiring.flipped(self.dispatch), self.queue.dispatch)
        wiring.connect(m, self.queue.fetch, self.fetcher.dispatch)
        wiring.connect(m, self.fetcher.task, self.loader.task)
        wiring.connect(m, self.loader.loaded, self.loaded.incoming)
        wiring.connect(m, self.loaded.outgoing, self.allocator.task)
        wiring.connect(m, self.allocator.placed, self.filler.task)
        wiring.connect(m, self.filler.filled, self.configurator.task)
        wiring.connect(m, self.configurator.configured, self.gate.task)
        wiring.connect(m, self.gate.passed, self.runner.task)
        wiring.connect(m, self.runner.ended, self.storer.task)
        wiring.connect(m, self.storer.stored, self.completer.task)
        wiring.connect(m, self.completer.completion, wiring.flipped(self.completion))

    def _advise(self, m: Module) -> None:
        """What the stages are told beside the tasks: what comes next, what is free or outdated."""
        queue, loader, allocator = self.queue, self.loader, self.allocator
        runner, gate, completer = self.runner, self.gate, self.completer
        now, occupied = self._time(m)
        m.d.sync += [
            # A cycle late: no harm, and it keeps the runner off the paths to the memory.
            self.fetcher.gentle.eq(runner.running),
            loader.gentle.eq(runner.running),
        ]
        m.d.comb += [
            queue.now.eq(now),
            queue.announced.eq(self.announced),
            queue.hint.eq(self.hint),
            queue.hint_valid.eq(self.hint_valid),
            queue.forget.eq(self.forget | self.regions_changed),
            queue.resolved.eq(gate.resolved),
            # What comes next to a stage is told to it: it may begin with what needs no place.
            self.filler.upcoming.eq(self.loaded.outgoing.payload),
            self.filler.upcoming_valid.eq(self.loaded.outgoing.valid),
            self.configurator.upcoming.eq(self.filler.filling),
            self.configurator.upcoming_valid.eq(self.filler.filling_valid),
            self.storer.upcoming.eq(runner.ending),
            self.storer.upcoming_valid.eq(runner.ending_valid),
            gate.verdict.eq(queue.verdict),
            self.filler.verdict.eq(queue.verdict.verdict),
            self.fetcher.now.eq(now),
            completer.now.eq(now),
            completer.occupied.eq(occupied),
            self.fetcher.finished.eq(completer.finished),
            allocator.release.eq(completer.release),
            allocator.release_window.eq(completer.release_window),
            loader.release.eq(runner.release),
            loader.release_bank.eq(runner.release_bank),
            loader.kernel_table_address.eq(self.kernel_table_address),
            loader.kernel_count.eq(self.kernel_count),
            loader.x.eq(self.x),
            loader.y.eq(self.y),
            loader.forget.eq(self.regions_changed),
            allocator.forget.eq(self.regions_changed),
        ]

    def _time(self, m: Module) -> tuple[Signal, Signal]:
        """The clock that tasks are timed with, and whether one is here: without, it stands still.

        Only differences within the stay of a task count, and a unit at rest has nothing that moves.
        """
        now = Signal(32)
        occupied = Signal()
        inside = Signal(range(self.unit.descriptor_queue_depth + STAGES + 1))
        taken = self.dispatch.valid & self.dispatch.ready
        ended = self.completion.valid & self.completion.ready
        m.d.sync += inside.eq(inside + taken - ended)
        m.d.comb += occupied.eq(self.dispatch.valid | inside.any())
        with m.If(occupied):
            m.d.sync += now.eq(now + 1)
        return now, occupied

    def _join_memory(self, m: Module) -> None:
        """Memory of the chip, descriptor buffer, scratchpad and its zeroing."""
        buffer, scratchpad, scrubber = self.buffer, self.scratchpad, self.scrubber
        for client, port in zip(
            (self.fetcher, self.loader, self.filler, self.storer),
            self.multiplexer.clients,
            strict=True,
        ):
            wiring.connect(m, client.memory, port)
        wiring.connect(m, self.storer.write, self.multiplexer.write)
        wiring.connect(m, self.multiplexer.memory, wiring.flipped(self.memory))
        wiring.connect(m, self.fetcher.buffer, buffer.writes[0])
        for reader, port in zip(
            (self.filler, self.configurator, self.storer), buffer.reads, strict=True
        ):
            wiring.connect(m, reader.buffer, port)
        wiring.connect(m, self.filler.scratchpad, scratchpad.writes[-1])
        wiring.connect(m, self.storer.scratchpad, scratchpad.reads[-1])
        m.d.comb += [
            self.multiplexer.regions.eq(self.regions),
            scrubber.start.eq(self.allocator.scrub),
            scrubber.window.eq(self.allocator.scrub_window),
            self.allocator.scrubbing.eq(scrubber.busy),
            scratchpad.scrub.eq(scrubber.scrub),
            scratchpad.scrub_row.eq(scrubber.row),
        ]

    def _join_array(self, m: Module, platform: Any) -> None:
        """The array: contexts, commands, and an edge port for each row and column."""
        core, runner, configurator = self.core, self.runner, self.configurator
        wiring.connect(m, self.loader.context_write, core.context_write)
        wiring.connect(m, runner.command, core.command)
        names = [f"west{row}" for row in range(self.pea.rows)]
        names += [f"north{column}" for column in range(self.pea.columns)]
        depth = max(self.unit.stream_fifo_depth, MINIMUM_DEPTH)
        ports = [EdgePort(self.address_bits, depth) for _ in names]
        setups = [*configurator.west, *configurator.north]
        inputs = [*core.west_in, *core.north_in]
        outputs = [*core.west_out, *core.north_out]
        for index, (name, port) in enumerate(zip(names, ports, strict=True)):
            add_block(m, platform, name, port)
            wiring.connect(m, setups[index], port.setup)
            wiring.connect(m, inputs[index], port.array_input)
            wiring.connect(m, outputs[index], port.array_output)
            wiring.connect(m, port.read, self.scratchpad.reads[index])
            wiring.connect(m, port.write, self.scratchpad.writes[index])
            m.d.comb += [
                port.control.epoch.eq(runner.control.epoch),
                port.control.start.eq(runner.control.start),
                port.control.drain_epoch.eq(runner.control.drain_epoch),
            ]
        m.d.comb += [
            runner.headers.eq(self.loader.headers),
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

    def _count(self, m: Module) -> None:
        """Completions, and each cycle by what the array does or waits for."""
        core, counters, completer = self.core, self.counters, self.completer
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
                Mux(core.blocked, CycleCounter.STALL_OUT, CycleCounter.STALL_IN)
            )
        with m.Elif(core.running):
            m.d.comb += counters.cycle.eq(CycleCounter.GAP)
        with m.Else():
            for cause, active in (  # the first that applies comes last
                (CycleCounter.OUTPUT, self.runner.draining | self.storer.active),
                (CycleCounter.FETCH, self.fetcher.active | self.fetcher.dispatch.valid),
                (CycleCounter.CONTEXT, self.loader.active),
                (CycleCounter.SCRATCHPAD, self.allocator.waiting),
                (CycleCounter.INPUT, self.filler.active),
                (CycleCounter.SET_UP, self.configurator.active),
            ):
                with m.If(active):
                    m.d.comb += counters.cycle.eq(cause)

    def _report_activity(self, m: Module) -> None:
        runner = self.runner
        state = Signal(ActivityState)
        with m.If(runner.running):
            m.d.comb += state.eq(ActivityState.RUN)
        with m.Elif(runner.draining | self.storer.active):
            m.d.comb += state.eq(ActivityState.OUTPUT)
        with m.Elif(self.filler.active):
            m.d.comb += state.eq(ActivityState.INPUT)
        with m.Elif(self.loader.active):
            m.d.comb += state.eq(ActivityState.CONTEXT_LOAD)
        with m.Elif(self.fetcher.active):
            m.d.comb += state.eq(ActivityState.FETCH)
        m.d.sync += [
            self.activity.state.eq(state),
            self.activity.block.eq(runner.run_block),
            self.activity.instance.eq(runner.run_instance),
        ]
        m.d.comb += self.activity.cause.eq(self.counters.counted)

    def _report_progress(self, m: Module) -> None:
        """Which borders tasks pass, which task is taken, which words move."""
        fetcher, loader, gate = self.fetcher, self.loader, self.gate
        borders: dict[Stage, Any] = {
            Stage.DISPATCHED: self.dispatch,
            Stage.TAKEN: fetcher.dispatch,
            Stage.FETCHED: fetcher.task,
            Stage.LOADED: loader.loaded,
            Stage.ROOM: self.allocator.task,
            Stage.PLACED: self.filler.task,
            Stage.FILLED: self.filler.filled,
            Stage.CONFIGURED: self.configurator.configured,
            Stage.STARTED: gate.passed,
            Stage.ENDED: self.runner.ended,
            Stage.STORED: self.storer.stored,
            Stage.COMPLETED: self.completion,
        }
        progress, taken, task = self.progress, self.taken, fetcher.task.payload
        for stage, border in borders.items():
            passed = progress.passed[stage]
            m.d.sync += passed.eq(passed ^ _moves(border))
        dropped = _moves(gate.passed) & gate.passed.payload.prepared
        m.d.sync += [
            progress.loads.eq(progress.loads ^ _moves(loader.memory.request)),
            progress.drops.eq(progress.drops ^ dropped),
            progress.draining.eq(self.runner.draining),
        ]
        # The fetcher holds them from the cycle in which ``passed`` says that it took the task.
        m.d.comb += [
            progress.shard.eq(task.shard),
            *(
                getattr(taken, name).eq(getattr(task, name))
                for name in ("block", "instance", "index", "prepared")
            ),
        ]
        clients = self.multiplexer.clients
        m.d.sync += [
            self.word_active[WordKind.DESCRIPTOR].eq(_moves(clients[0].response)),
            self.word_active[WordKind.CONTEXT].eq(_moves(clients[1].response)),
            self.word_active[WordKind.OPERAND].eq(_moves(clients[2].response)),
            self.word_active[WordKind.RESULT].eq(_moves(self.storer.write)),
        ]


def _moves(border: Any) -> Value:
    """A payload passes the stream in this cycle."""
    return border.valid & border.ready
