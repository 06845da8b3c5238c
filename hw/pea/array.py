"""The processing-element array: the mesh of PEs, its edges and its one advance signal."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.features import features_of
from ..library import KEEP, Block, add_block
from .decode import DECODED, OPPOSITE, decode
from .edge_demand import EdgeDemand
from .element import ProcessingElement
from .interfaces import ArrayInput, ArrayOutput, ContextWrite, sequencer_token

Grid = list[list[ProcessingElement]]


class ProcessingElementArray(Block):
    """``rows`` x ``columns`` PEs in lock-step, with streams at the west and north edges.

    A token is fetched in the clock in which it comes, decoded in the next and executed in the
    third; with ``skew`` PE (r, c) does so r + c array cycles later.

    Parameters
    ----------
    pea: the array's configuration.

    Ports
    -----
    token: in, see ``sequencer_token``; taken when ``advance`` is high or nothing is in execution.
    skew: in, 1 bit, tokens travel as a wave. turn: in, 1 bit, the edges' streams are those of
    another run from the next clock on.
    west_in, west_out: ``rows`` edge streams; north_in, north_out: ``columns`` edge streams.
    context_write: one instruction a clock into any PE.
    executing: out, 1 bit, there is an array cycle to do. advance: out, 1 bit, it happens in this
    clock. blocked: out, 1 bit, it does not, for an output has no room. All three are registers.
    exit: out, 1 bit, OR over PEs.

    Timing: one array cycle a clock unless an edge stalls. Whether the array goes on in the next
    clock is decided in this one, from what the edges say of the next: ``advance`` is a register,
    for some thousand others wait for it.
    Errors: none. Source: own.
    """

    def __init__(self, pea: PeaConfig) -> None:
        self.pea = pea
        super().__init__(
            {
                "token": In(sequencer_token(pea)),
                "skew": In(1),
                "west_in": Out(ArrayInput()).array(pea.rows),
                "north_in": Out(ArrayInput()).array(pea.columns),
                "west_out": Out(ArrayOutput()).array(pea.rows),
                "north_out": Out(ArrayOutput()).array(pea.columns),
                "context_write": Out(ContextWrite(pea)),
                "turn": In(1),
                "executing": Out(1),
                "advance": Out(1),
                "blocked": Out(1),
                "exit": Out(1),
            },
            pea=pea,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        grid: Grid = []
        for row in range(self.pea.rows):
            grid.append([])
            for column in range(self.pea.columns):
                element = ProcessingElement(
                    self.pea,
                    self.pea.operation_set(row, column),
                    self.pea.feature_set(row, column),
                )
                add_block(m, platform, f"element_{row}_{column}", element)
                grid[-1].append(element)
        shift = Signal(init=1)  # tokens 1 and 2 go on: the array advances, or nothing executes
        executes_next, restart = self._distribute(m, grid, shift)
        self._mesh(m, grid)
        demands = self._demands(m, platform, shift, restart)
        advances_next = self._edges(m, grid, demands, executes_next)
        m.d.sync += [self.advance.eq(advances_next), shift.eq(~executes_next | advances_next)]
        self._contexts(m, grid, demands)
        elements = [element for line in grid for element in line]
        for element in elements:
            m.d.comb += [element.advance.eq(self.advance), element.restart.eq(restart)]
        m.d.comb += self.exit.eq(Cat(element.exit for element in elements).any())
        return m

    def _distribute(self, m: Module, grid: Grid, shift: Signal) -> tuple[Value, Value]:
        """Tokens to PEs: (a token is in execution in the next clock, restart).

        Position 0 is the token that comes, 1 the one fetched, 2 the one in execution, and so on
        for the PEs that the wave reaches later. Up to 2, gaps close; from there on every token
        stays one array cycle behind the one before it.
        """
        layout = sequencer_token(self.pea)
        diagonals = self.pea.rows + self.pea.columns - 1
        positions: list[Any] = [self.token]
        positions += [
            Signal(layout, name=f"token_{position}") for position in range(1, max(3, diagonals + 1))
        ]
        restart = Signal()
        voided = self.token.cancel | self.token.abort
        m.d.comb += [
            self.executing.eq(positions[2].valid),
            restart.eq((positions[2].last & shift) | self.token.abort),
        ]
        void = layout.const({})
        for number, (before, after) in enumerate(pairwise(positions), 1):
            with m.If(shift if number <= 2 else self.advance):
                m.d.sync += after.eq(before)
            with m.If(voided if number <= 2 else restart):
                m.d.sync += after.eq(void)
        for row, line in enumerate(grid):
            for column, element in enumerate(line):
                self._feed(m, element, positions, row + column, shift)
        return Mux(shift, positions[1].valid, positions[2].valid) & ~voided, restart

    def _feed(
        self,
        m: Module,
        element: ProcessingElement,
        positions: list[Any],
        delay: int,
        shift: Signal,
    ) -> None:
        """The tokens of a PE that the wave reaches ``delay`` cycles after the first."""
        wave = self.skew if delay else Value.cast(0)
        fetched, decoded = positions[0], positions[1]
        late_fetched, late_decoded = positions[delay], positions[delay + 1]
        late_fetch = shift if delay <= 1 else self.advance
        clear = Mux(wave, late_decoded.clear, decoded.clear)
        executing, last = positions[2].valid, positions[2].last
        # A reset comes with an array cycle or without; ``advance`` is late, the rest is kept apart.
        with_cycle = Signal(attrs=KEEP)
        without = Signal(attrs=KEEP)
        m.d.comb += [
            with_cycle.eq(clear | last),
            without.eq(self.token.abort | (~executing & (last | (clear & ~wave)))),
            element.reset.eq((self.advance & with_cycle) | without),
            element.bank.eq(Mux(wave, late_fetched.bank, fetched.bank)),
            element.slot.eq(Mux(wave, late_fetched.slot, fetched.slot)),
            element.fetch.eq(Mux(wave, late_fetch, shift)),
            element.active.eq(Mux(wave, late_decoded.active, decoded.active)),
            element.decode.eq(Mux(wave, self.advance, shift)),
            # What is decoded while a run is aborted, or of the wave while it ends, must not be in
            # a PE in the next run.
            element.disable.eq(self.token.abort | (wave & last & shift)),
        ]

    def _mesh(self, m: Module, grid: Grid) -> None:
        """Links between neighbours; the inputs of the east and south edges stay invalid."""
        for row, line in enumerate(grid):
            for column, element in enumerate(line):
                for side, (down, right) in (("south", (1, 0)), ("east", (0, 1))):
                    if row + down < self.pea.rows and column + right < self.pea.columns:
                        other = grid[row + down][column + right]
                        back = OPPOSITE[side]
                        m.d.comb += getattr(other, f"{back}_in").eq(getattr(element, f"{side}_out"))
                        m.d.comb += getattr(element, f"{side}_in").eq(getattr(other, f"{back}_out"))

    def _edge_ports(self) -> list[tuple[str, int, int]]:
        """Of every edge port: its side, the row and the column of its PE."""
        west = [("west", row, 0) for row in range(self.pea.rows)]
        return west + [("north", 0, column) for column in range(self.pea.columns)]

    def _demands(self, m: Module, platform: Any, shift: Value, restart: Value) -> list[EdgeDemand]:
        """What tells, for each edge port, whether the array demands a word of it."""
        demands = []
        for side, row, column in self._edge_ports():
            demand = EdgeDemand(self.pea, row + column)
            add_block(m, platform, f"demand_{side}_{row + column}", demand)
            m.d.comb += [
                demand.token.eq(self.token),
                demand.skew.eq(self.skew),
                demand.shift.eq(shift),
                demand.advance.eq(self.advance),
                demand.restart.eq(restart),
            ]
            demands.append(demand)
        return demands

    def _edges(
        self, m: Module, grid: Grid, demands: list[EdgeDemand], executes_next: Value
    ) -> Value:
        """Edge streams; 1 bit: the array advances in the next clock."""
        inputs, outputs = [*self.west_in, *self.north_in], [*self.west_out, *self.north_out]
        waits, waits_turned = [], []
        for (side, row, column), demand, source, sink in zip(
            self._edge_ports(), demands, inputs, outputs, strict=True
        ):
            element = grid[row][column]
            link_in, link_out = getattr(element, f"{side}_in"), getattr(element, f"{side}_out")
            waits.append(demand.following & ~source.next_ready)
            waits_turned.append(demand.following & ~source.next_ready_turned)
            m.d.comb += [
                link_in.data.eq(source.data),
                link_in.valid.eq(source.valid & demand.demand),
                source.take.eq(self.advance & demand.demand & source.valid),
                sink.data.eq(link_out.data),
                sink.valid.eq(link_out.valid),
                sink.push.eq(self.advance & link_out.valid),
            ]
        room = Cat(sink.next_ready for sink in outputs).all()
        m.d.sync += self.blocked.eq(executes_next & ~room)
        # Whether another run begins comes late: it chooses at the end.
        starved = Mux(self.turn, Cat(waits_turned).any(), Cat(waits).any())
        return executes_next & room & ~starved

    def _contexts(self, m: Module, grid: Grid, demands: list[EdgeDemand]) -> None:
        """The context write, decoded for each kind of PE and registered, to the PE it names."""
        write = self.context_write
        enable = Signal()
        element_index = Signal.like(write.element)
        bank, slot = Signal.like(write.bank), Signal.like(write.slot)
        m.d.sync += [
            enable.eq(write.enable),
            element_index.eq(write.element),
            bank.eq(write.bank),
            slot.eq(write.slot),
        ]
        decoded: dict[tuple[str, str], Any] = {}
        for number, kind in enumerate(self.pea.kinds):
            operations, features = kind
            decoded[kind] = Signal(DECODED, name=f"decoded_{number}")
            m.d.sync += decoded[kind].eq(
                decode(m, write.instruction, operations, features_of(features), self.pea.has_early)
            )
        for index, element in enumerate(element for line in grid for element in line):
            m.d.comb += [
                element.write.eq(enable & (element_index == index)),
                element.write_bank.eq(bank),
                element.write_slot.eq(slot),
                element.write_instruction.eq(decoded[element.kind]),
            ]
        for (side, row, column), demand in zip(self._edge_ports(), demands, strict=True):
            element = grid[row][column]
            m.d.comb += [
                demand.write.eq(element.write),
                demand.write_bank.eq(bank),
                demand.write_slot.eq(slot),
                demand.write_demand.uses.eq(decoded[element.kind][f"uses_{side}"]),
                demand.write_demand.stage.eq(decoded[element.kind].stage),
            ]
