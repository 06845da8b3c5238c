"""The processing-element array: the mesh of PEs, its edges and its one advance signal."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..config import PeaConfig
from ..layouts.features import features_of
from ..library import Block, add_block
from .decode import DECODED, OPPOSITE, decode
from .element import ProcessingElement
from .interfaces import ArrayInput, ArrayOutput, ContextWrite, sequencer_token
from .pipeline import KEEP

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
    skew: in, 1 bit, tokens travel as a wave.
    west_in, west_out: ``rows`` edge streams; north_in, north_out: ``columns`` edge streams.
    context_write: one instruction a clock into any PE.
    executing: out, 1 bit, register, there is an array cycle to do. advance: out, 1 bit, it happens
    in this clock. exit: out, 1 bit, OR over PEs.

    Timing: combinational from the edges' ``valid``, ``exhausted`` and ``ready`` to ``advance``,
    ``take`` and ``push``. One array cycle a clock unless an edge stalls.
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
                "executing": Out(1),
                "advance": Out(1),
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
        executing, restart = self._distribute(m, grid)
        m.d.comb += self.executing.eq(executing)
        self._mesh(m, grid)
        self._edges(m, grid, executing)
        self._contexts(m, grid)
        elements = [element for line in grid for element in line]
        for element in elements:
            m.d.comb += [element.advance.eq(self.advance), element.restart.eq(restart)]
        m.d.comb += self.exit.eq(Cat(element.exit for element in elements).any())
        return m

    def _distribute(self, m: Module, grid: Grid) -> tuple[Value, Value]:
        """Tokens to PEs: (a token is in execution, restart).

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
        shift = Signal()
        restart = Signal()
        executing = positions[2].valid
        m.d.comb += [
            shift.eq(~executing | self.advance),
            restart.eq((positions[2].last & shift) | self.token.abort),
        ]
        void = layout.const({})
        for number, (before, after) in enumerate(pairwise(positions), 1):
            with m.If(shift if number <= 2 else self.advance):
                m.d.sync += after.eq(before)
            dropped = self.token.cancel | self.token.abort if number <= 2 else restart
            with m.If(dropped):
                m.d.sync += after.eq(void)
        for row, line in enumerate(grid):
            for column, element in enumerate(line):
                self._feed(m, element, positions, row + column, shift)
        return executing, restart

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

    def _edges(self, m: Module, grid: Grid, executing: Value) -> None:
        """Edge streams, and ``advance`` from them."""
        stalls = []
        for side, elements, inputs, outputs in (
            ("west", [line[0] for line in grid], self.west_in, self.west_out),
            ("north", grid[0], self.north_in, self.north_out),
        ):
            for element, source, sink in zip(elements, inputs, outputs, strict=True):
                demand = getattr(element, f"demand_{side}")
                link_in, link_out = getattr(element, f"{side}_in"), getattr(element, f"{side}_out")
                stalls.append(demand & ~source.valid & ~source.exhausted)
                stalls.append(link_out.valid & ~sink.ready)
                m.d.comb += [
                    link_in.data.eq(source.data),
                    link_in.valid.eq(source.valid & demand),
                    source.take.eq(self.advance & demand & source.valid),
                    sink.data.eq(link_out.data),
                    sink.valid.eq(link_out.valid),
                    sink.push.eq(self.advance & link_out.valid),
                ]
        m.d.comb += self.advance.eq(executing & ~Cat(stalls).any())

    def _contexts(self, m: Module, grid: Grid) -> None:
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
                decode(m, write.instruction, operations, features_of(features))
            )
        for index, element in enumerate(element for line in grid for element in line):
            m.d.comb += [
                element.write.eq(enable & (element_index == index)),
                element.write_bank.eq(bank),
                element.write_slot.eq(slot),
                element.write_instruction.eq(decoded[element.kind]),
            ]
