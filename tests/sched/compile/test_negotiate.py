"""The native search: its mappings are right, and without a compiler others take its place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.instruction import Operation
from octopus.sched.compile import native_library
from octopus.sched.compile.compiler import bounds_of, compile_graph, window_of
from octopus.sched.compile.graph import Access, Constant, Graph, Node, Role, Use
from octopus.sched.compile.lower import lower
from octopus.sched.compile.negotiate import Manner, negotiate
from octopus.sched.compile.problem import Problem
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.task import Operand
from octopus.verify.bench.tbu_tasks import run_golden

CONFIG = OctopusConfig.load("default")
FOREVER = 1e9


def butterflies() -> Graph:
    """Sums and differences of four words, twice over: eight operations."""
    graph = Graph("butterflies")
    values = [graph.add(Node(f"x{i}", Role.LOAD, access=Access(f"x{i}"))) for i in range(4)]
    for step in (1, 2):
        values = [
            graph.add(
                Node(
                    f"v{step}_{i}",
                    Role.COMPUTE,
                    Operation.SUB if i & step else Operation.ADD,
                    (values[i & ~step], values[i | step]),
                )
            )
            for i in range(4)
        ]
    for i, value in enumerate(values):
        graph.add(Node(f"y{i}", Role.STORE, operands=(value,), access=Access(f"y{i}")))
    return graph


def running_sums() -> Graph:
    """A counter, words gathered at it, their running sum: some of it must act just in time."""
    graph = Graph("running_sums")
    graph.add(Node("i", Role.COMPUTE, Operation.ADD, (Use("i", 1, (1 << 32) - 1), Constant(1))))
    offset = graph.add(Node("offset", Role.COMPUTE, Operation.SHL, (Use("i"), Constant(2))))
    word = graph.add(Node("word", Role.GATHER, operands=(offset,), access=Access("table")))
    graph.add(Node("sum", Role.COMPUTE, Operation.ADD, (Use("sum", 1), word)))
    graph.add(Node("twice", Role.COMPUTE, Operation.MUL, (Use("sum"), Use("i"))))
    for name in ("sum", "twice"):
        graph.add(Node(f"out_{name}", Role.STORE, operands=(Use(name),), access=Access(name)))
    return graph


def right(graph: Graph, length: int) -> bool:
    """Whether what ``compile_graph`` makes of a graph gives its meaning on the golden model."""

    def operands(*roles: Role) -> list[Operand]:
        nodes = [node for node in graph.nodes.values() if node.role in roles]
        return [Operand(node.access.array, (length,), "int32") for node in nodes if node.access]

    task = CompiledTask(
        GraphKernel(graph), (length,), operands(Role.LOAD, Role.GATHER), operands(Role.STORE)
    )
    inputs = task.random_inputs(3)
    found, _ = run_golden(CONFIG, task, inputs)
    return all((a == b).all() for a, b in zip(found, task.reference(*inputs)[0], strict=True))


@pytest.mark.parametrize("make", [butterflies, running_sums])
@pytest.mark.parametrize("lenient", [False, True])
def test_what_it_finds_is_valid(make: Callable[[], Graph], lenient: bool) -> None:
    lowered = lower(make(), CONFIG.pea)
    interval = bounds_of(lowered, CONFIG.pea)[0].interval
    problem = Problem(lowered, CONFIG.pea, interval, window_of(lowered, CONFIG.pea), lenient)
    tried = [negotiate(problem, seed, 2000, FOREVER, Manner()) for seed in range(6)]
    found = [one.mapping for one in tried if one.mapping is not None]
    assert found, [(one.troubles, one.complaint) for one in tried]
    assert all(mapping.interval == interval for mapping in found)


def test_the_same_seed_gives_the_same() -> None:
    lowered = lower(butterflies(), CONFIG.pea)
    problem = Problem(lowered, CONFIG.pea, 3, 1)
    first, second = (negotiate(problem, 5, 4000, FOREVER, Manner()) for _ in range(2))
    assert first.moves == second.moves
    assert first.mapping is not None and second.mapping is not None
    assert first.mapping.places == second.mapping.places


def test_too_few_moves_give_nothing() -> None:
    lowered = lower(butterflies(), CONFIG.pea)
    tried = negotiate(Problem(lowered, CONFIG.pea, 2, 1), 1, 3, FOREVER, Manner())
    assert tried.mapping is None
    assert tried.troubles > 0


@pytest.mark.parametrize("length", [1, 2, 11, 37])
@pytest.mark.parametrize("make", [butterflies, running_sums])
def test_results_are_right(make: Callable[[], Graph], length: int) -> None:
    assert right(make(), length)


def test_without_a_compiler_the_others_do_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    native_library.library.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        assert native_library.library() is None
        assert compile_graph(running_sums(), CONFIG.pea).method != "negotiation"
    finally:
        native_library.library.cache_clear()
