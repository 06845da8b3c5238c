"""The host scheduler: loads a program, keeps instances in flight, collects what they give."""

from collections import deque
from collections.abc import Callable, Sequence

from octopus.hw.layouts.block import BlockStatistics
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.space import CONFIGURATION_BIT, WORD_BYTES, ConfigurationRegion, address_of
from octopus.hw.layouts.token import TokenKind

from .driver_protocol import CommandingDriver, Driver, DriverError, HostToken, Notice
from .kernels.task import TaskError
from .program import Program
from .report import BlockFigures, Fault, Outcome, RunReport
from .workflow import Instance, InstanceResult, Role, WorkflowError

CYCLE_LIMIT = 50_000_000
"""Cycles a run may take, unless told otherwise."""

ABORT_CYCLES = 1_000_000
"""Cycles an abort may take."""

WAIT_CYCLES = 1_000_000
"""Cycles the driver is asked to wait at a time."""

Progress = Callable[[int, int, int], None]
"""Called with instances ended, instances in all, cycles since the run began."""


class RunError(RuntimeError):
    """A run cannot go on; the message names instances and blocks."""


class FaultError(RunError):
    """A block failed. ``fault`` has the details."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class TimeLimitError(RunError):
    """A run took more cycles than allowed."""


class DeadNetworkError(RunError):
    """The control network is dead: tokens are lost or wait for ever. The chip needs a reset."""


class AbortedError(RunError):
    """A run was given up on request; its instances were aborted."""


class Runtime:
    """Runs one program on one chip.

    An instance is admitted when a slot is free: the number of slots is the credit.

    Parameters
    ----------
    driver: the chip, reset and not running anything else.
    program: what to run.
    progress: called whenever instances end.
    edge: called at both ends of a run: before the first instance starts, and after the last one
        has ended or the run has failed.
    """

    def __init__(
        self,
        driver: Driver,
        program: Program,
        *,
        progress: Progress | None = None,
        edge: Callable[[], None] | None = None,
    ) -> None:
        self.driver = driver
        self.program = program
        self.progress = progress
        self.edge = edge or (lambda: None)
        self._commands = driver if isinstance(driver, CommandingDriver) else None
        self._draining = self._abort_wanted = False
        self._notices: list[Notice] = []
        self._running: _Run | None = None
        self._start_cycle = self._end_cycle = 0
        self._source = program.placement[program.workflow.source.name]
        self._source_number = program.numbers[program.workflow.source.name]
        self._inputs = [t for t in program.workflow.tensors.values() if t.role is Role.INPUT]
        self._results = [t for t in program.workflow.tensors.values() if t.result]

    def load(self) -> int:
        """Check that the chip is the one the program is for, and write the program.

        Returns:
            The cycles it took.

        Raises:
            DriverError: another chip, or an access fails.
        """
        for path, found in self.driver.identify().items():
            needed: object = self.program.config
            for part in path.split("."):
                needed = getattr(needed, part)
            if found != needed:
                raise DriverError(f"the chip has {path} = {found}; the program needs {needed}")
        start = self.driver.cycles
        for address, words in self.program.writes:
            self.driver.write_memory(address, words)
        return self.driver.cycles - start

    def run(
        self,
        instances: Sequence[Instance],
        *,
        limit_cycles: int = CYCLE_LIMIT,
        instance_limit_cycles: int | None = None,
        strict: bool = True,
    ) -> RunReport:
        """Run instances to their end.

        With a driver that can (``CommandingDriver``), a faulty instance and one that takes too long
        are aborted, so that their slots can be used again; and when the run raises an error, all
        its instances are, so that the chip is ready for the next run.

        Parameters
        ----------
        limit_cycles: for the whole run.
        instance_limit_cycles: for one instance, from its start; a longer one is aborted and its
            outcome has a fault with status ABORTED (``strict`` raises it). None: no limit.
        strict: stop at the first fault; else report faults in the outcomes. With a driver that
            cannot abort, a faulty instance keeps its slot, since tokens of it may still be waiting.

        Raises:
            WorkflowError: an instance lacks an input or one does not fit (before anything runs).
            FaultError: a block failed (``strict``). RunError: no slot is left, or the chip sent a
                token that makes no sense. TimeLimitError: ``limit_cycles`` are over.
            DeadNetworkError: nothing comes, and a link of the control network is stuck.
            AbortedError: :meth:`abort` was called meanwhile.
            DriverError: an access fails. CommandError: an abort fails.
            ValueError: ``instance_limit_cycles`` with a driver that cannot abort.
        """
        if instance_limit_cycles is not None and not self._commands:
            raise ValueError("instance_limit_cycles needs a driver that can abort instances")
        try:
            return self._run(instances, limit_cycles, instance_limit_cycles, strict)
        except (RunError, KeyboardInterrupt) as error:
            self._end_cycle = self.driver.cycles
            self.edge()
            if not isinstance(error, DeadNetworkError):  # an abort would wait for lost tokens
                self._clean_up()
            raise

    def _run(
        self,
        instances: Sequence[Instance],
        limit_cycles: int,
        instance_limit_cycles: int | None,
        strict: bool,
    ) -> RunReport:
        run = _Run(self, [self._words(number, item) for number, item in enumerate(instances)])
        values = [instance.value for instance in instances]
        before = self._figures()
        self._running = run
        start = self._start_cycle = self.driver.cycles
        self.edge()
        self._abort_wanted = False
        self._notices.clear()
        while run.ended < len(instances):
            while run.waiting and run.free and not self._draining:
                run.admit(values)
            if self._draining and not run.active:
                break
            if not run.active:
                raise RunError(
                    f"all {self.program.slots} instance slots are taken by faulty instances; "
                    f"{len(run.waiting)} instances could not start"
                )
            left = limit_cycles - (self.driver.cycles - start)
            patience = run.patience(instance_limit_cycles)
            tokens = self.driver.wait(min(left, patience)) if left > 0 else []
            if self._abort_wanted:
                raise AbortedError(f"aborted with {len(run.active)} instances under way")
            if not tokens:
                self._check_network()
            if not tokens and self.driver.cycles - start >= limit_cycles:
                raise TimeLimitError(self._outstanding(run, before, limit_cycles))
            for token in tokens:
                run.take(token, strict)
            run.end_overdue(instance_limit_cycles, strict)
            if tokens and self.progress:
                self.progress(run.ended, len(instances), self.driver.cycles - start)
        cycles = max((o.finished for o in run.outcomes), default=start) - start
        self.edge()
        after = self._figures()
        figures = {name: after[name].since(before[name]) for name in after}
        if self._commands:
            self._notices += self._commands.notices()
        return RunReport(self.program, run.outcomes, figures, cycles, list(self._notices), start)

    def partial_report(self) -> RunReport | None:
        """What is known of a run that raised an error or was interrupted; None if none began.

        Instances that did not end have neither result nor fault; there are no blocks' figures.
        """
        if self._running is None:
            return None
        cycles = max(0, self._end_cycle - self._start_cycle)
        return RunReport(
            self.program,
            self._running.outcomes,
            {},
            cycles,
            list(self._notices),
            self._start_cycle,
        )

    def drain(self) -> None:
        """Start no further instance: a run ends when those under way have ended.

        To be called from ``progress``; lasts until :meth:`admit`.
        """
        self._draining = True

    def admit(self) -> None:
        """Start instances again after :meth:`drain`."""
        self._draining = False

    def abort(self) -> None:
        """Give the run up (from ``progress``): instances are aborted, ``AbortedError`` comes."""
        self._abort_wanted = True

    def abort_slots(self, first: int, last: int) -> None:
        """Abort the instances in these slots, if the driver can."""
        if self._commands:
            self._commands.abort(first, last, ABORT_CYCLES)

    @property
    def can_abort(self) -> bool:
        """Whether the driver can abort instances."""
        return self._commands is not None

    def _clean_up(self) -> None:
        """Leave a chip that is ready for another run."""
        self.abort_slots(0, self.program.slots - 1)

    def _words(self, number: int, instance: Instance) -> list[tuple[str, list[int]]]:
        """The input tensors of an instance as words."""
        names = {tensor.name for tensor in self._inputs}
        unknown = set(instance.tensors) - names
        if unknown:
            raise WorkflowError(f"instance {number}: {min(unknown)} is no input of the workflow")
        words = []
        for tensor in self._inputs:
            if tensor.name not in instance.tensors:
                raise WorkflowError(f"instance {number}: has no value for input {tensor.name}")
            try:
                array = instance.tensors[tensor.name]
                words.append((tensor.name, tensor.operand.to_words(array)))
            except TaskError as error:
                raise WorkflowError(f"instance {number}: {error}") from None
        return words

    def start_instance(self, slot: int, value: int, inputs: list[tuple[str, list[int]]]) -> None:
        """Write the inputs to the slot's buffers and send the token to the source."""
        for name, words in inputs:
            place = self.program.tensors[name]
            self.driver.write_memory(place.address(slot), place.to_memory(words))
        token = HostToken(self._source_number, slot, value & 0xFFFFFFFF)
        self.driver.inject(self._source.x, self._source.y, token)

    def collect(self, token: HostToken) -> InstanceResult:
        """What an instance gave: the sink's token and the result tensors."""
        name = self.program.name_of(token.block)
        if name is None:
            raise RunError(f"the chip completed block {token.block}, which does not exist")
        result = InstanceResult(name, token.value)
        for tensor in self._results:
            place = self.program.tensors[tensor.name]
            memory = self.driver.read_memory(place.address(token.instance), place.words)
            result.tensors[tensor.name] = place.operand.from_words(place.from_memory(memory))
        return result

    def _figures(self) -> dict[str, BlockFigures]:
        """The statistics of all task blocks."""
        return {
            block.name: self._block_figures(block.name) for block in self.program.workflow.tasks
        }

    def _block_figures(self, name: str) -> BlockFigures:
        entry = self.program.numbers[name] * BlockStatistics.WORDS * WORD_BYTES
        offset = 1 << CONFIGURATION_BIT | ConfigurationRegion.STATISTICS | entry
        address = address_of(*self.program.placement[name].cluster, offset)
        words = self.driver.read_memory(address, BlockStatistics.FAULTS + 1)
        return BlockFigures(
            arrivals=words[BlockStatistics.ARRIVALS],
            completions=words[BlockStatistics.COMPLETIONS],
            busy_cycles=words[BlockStatistics.BUSY_CYCLES],
            array_cycles=words[BlockStatistics.ARRAY_CYCLES],
            mean_cycles=words[BlockStatistics.MEAN_CYCLES],
            faults=words[BlockStatistics.FAULTS],
        )

    def _check_network(self) -> None:
        """Raise an error if a link of the control network is stuck."""
        stuck = self._commands.stuck_clusters() if self._commands else []
        if stuck:
            places = ", ".join("the host" if place is None else str(place) for place in stuck[:10])
            more = f" and {len(stuck) - 10} more" if len(stuck) > 10 else ""
            raise DeadNetworkError(f"the control network is stuck behind {places}{more}")

    def _outstanding(self, run: "_Run", before: dict[str, BlockFigures], limit_cycles: int) -> str:
        """What did not end, in one line."""
        numbers = ", ".join(str(outcome.number) for outcome in list(run.active.values())[:10])
        more = f" and {len(run.active) - 10} more" if len(run.active) > 10 else ""
        after = self._figures()
        open_tasks = {name: after[name].since(before[name]).outstanding for name in after}
        busy = ", ".join(f"{name} ({count})" for name, count in open_tasks.items() if count)
        return (
            f"no end after {limit_cycles} cycles: instances {numbers}{more} are outstanding, "
            f"{len(run.waiting)} not started; task blocks with unfinished tasks: {busy or 'none'}"
        )


class _Run:
    """The state of one run: who is where."""

    def __init__(self, runtime: Runtime, inputs: list[list[tuple[str, list[int]]]]) -> None:
        self.runtime = runtime
        self.inputs = inputs
        self.waiting = deque(range(len(inputs)))
        self.free = deque(range(runtime.program.slots))
        self.active: dict[int, Outcome] = {}
        self.outcomes = [Outcome(number) for number in range(len(inputs))]
        self.ended = 0
        self.aborted: set[int] = set()

    def admit(self, values: Sequence[int]) -> None:
        """Start the next instance in a free slot."""
        number, slot = self.waiting.popleft(), self.free.popleft()
        self.aborted.discard(slot)
        outcome = self.active[slot] = self.outcomes[number]
        outcome.slot = slot
        outcome.started = self.runtime.driver.cycles
        self.runtime.start_instance(slot, values[number], self.inputs[number])

    def patience(self, instance_limit_cycles: int | None) -> int:
        """Cycles until the next instance may be overdue."""
        if instance_limit_cycles is None or not self.active:
            return WAIT_CYCLES
        oldest = min(outcome.started for outcome in self.active.values())
        left = oldest + instance_limit_cycles - self.runtime.driver.cycles
        return max(1, min(WAIT_CYCLES, left))

    def end_overdue(self, instance_limit_cycles: int | None, strict: bool) -> None:
        """Abort the instances that took too long."""
        if instance_limit_cycles is None:
            return
        now = self.runtime.driver.cycles
        for slot, outcome in list(self.active.items()):
            if now - outcome.started >= instance_limit_cycles:
                source = self.runtime.program.workflow.source.name
                outcome.fault = Fault(source, Status.ABORTED, outcome.number, 0)
                if strict:
                    raise FaultError(outcome.fault)
                self._free(slot)
                outcome.finished = now
                del self.active[slot]
                self.ended += 1

    def _free(self, slot: int) -> None:
        """Make a slot usable again whose instance did not end by itself."""
        if self.runtime.can_abort:
            self.runtime.abort_slots(slot, slot)
            self.free.append(slot)
            self.aborted.add(slot)

    def take(self, token: HostToken, strict: bool) -> None:
        """Handle a token from the chip."""
        outcome = self.active.get(token.instance)
        if outcome is None and token.instance in self.aborted:
            return  # The host had taken it before the abort.
        if token.kind is TokenKind.FAULT:
            name = self.runtime.program.name_of(token.block)
            number = None if outcome is None else outcome.number
            fault = Fault(name or f"number {token.block}", token.status, number, token.index)
            if strict:
                raise FaultError(fault)
            if outcome is None:
                return
            outcome.fault = fault
            self._free(token.instance)
        elif outcome is None or token.kind is not TokenKind.COMPLETE:
            raise RunError(
                f"the chip sent a {token.kind.name} token of block {token.block} for slot "
                f"{token.instance}, where no instance is running"
            )
        else:
            # The buffers are read before the slot is given away.
            outcome.finished = self.runtime.driver.cycles
            outcome.result = self.runtime.collect(token)
            self.free.append(token.instance)
        outcome.finished = outcome.finished or self.runtime.driver.cycles
        del self.active[token.instance]
        self.ended += 1
