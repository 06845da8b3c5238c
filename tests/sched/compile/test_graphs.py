"""Graphs from DOT, bounds, errors, listing and picture."""

import random
import time as clock
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.instruction import Operation
from octopus.sched.compile.bounds import negative_cycle, recurrence_bound
from octopus.sched.compile.compiler import Compiled, bounds_of, compile_graph
from octopus.sched.compile.dot import parse_dot
from octopus.sched.compile.errors import CompileError
from octopus.sched.compile.exact import solve
from octopus.sched.compile.fabric import ConflictError, Fabric
from octopus.sched.compile.graph import Access, Constant, Graph, Node, Role, Use
from octopus.sched.compile.listing import listing
from octopus.sched.compile.lower import lower
from octopus.sched.compile.picture import draw
from octopus.sched.compile.problem import Problem
from octopus.sched.compile.split import split_words
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.task import Operand
from octopus.verify.bench.tbu_tasks import run_golden

PEA = OctopusConfig.load("default").pea
BUTTERFLY = """
digraph butterfly {
    node [color=blue];
    a [opcode = input]; b [opcode = input];
    w [opcode = INPUT, label = "a factor; of turning"];
    turned [opcode = MUL];
    upper [opcode = ADD]; lower [opcode = SUB];
    c [opcode = output]; d [opcode = OUTPUT];
    w -> turned [name = 0]; b -> turned [name = 1];
    a -> upper; turned -> upper; a -> lower; turned -> lower;  // the operands' order counts
    upper -> c; lower -> d;
}
"""


def test_dot_graph_runs():
    graph = parse_dot(BUTTERFLY, "butterfly")
    length = 9
    arrays = [np.arange(length, dtype=np.int32) * k for k in (3, 5, 7)]
    task = CompiledTask(
        GraphKernel(graph),
        (length,),
        [Operand(name, (length,), "int32") for name in "abw"],
        [Operand(name, (length,), "int32") for name in "cd"],
    )
    (c, d), outcome = run_golden(OctopusConfig.load("default"), task, arrays)
    assert outcome.status is Status.OK
    a, b, w = arrays
    np.testing.assert_array_equal(c, a + w * b)
    np.testing.assert_array_equal(d, a - w * b)
    assert task.kernel.compiled(PEA).interval == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("graph g {}", "no digraph"),
        ("digraph g { a [label = x]; }", "node a has no opcode"),
        ("digraph g { a [opcode = what]; }", "node a has the unknown opcode WHAT"),
        ("digraph g { a [opcode = ADD]; b -> a; c -> a; }", "a uses b, which does not exist"),
    ],
)
def test_dot_errors(text, message):
    with pytest.raises(CompileError, match=message):
        parse_dot(text, "g")


def chain(operations, distance, initial=0, last=Operation.ADD):
    """A recurrence through some additions, ``distance`` iterations long; ``last`` ends it."""
    graph = Graph("chain")
    graph.add(Node("x", Role.LOAD, access=Access("x")))
    value = Use(f"add{operations - 1}", distance, initial)
    for number in range(operations):
        operands = (value, Use("x"))
        operation = last if number == operations - 1 else Operation.ADD
        value = graph.add(Node(f"add{number}", Role.COMPUTE, operation, operands))
    graph.add(Node("y", Role.STORE, operands=(value,), access=Access("y")))
    return graph


@pytest.mark.parametrize(
    ("operations", "distance", "bound"), [(2, 1, 2), (3, 1, 3), (3, 2, 2), (12, 1, 12)]
)
def test_recurrence_bound(operations, distance, bound):
    lowered = lower(chain(operations, distance), PEA)
    found = recurrence_bound(lowered, PEA)
    assert found.interval == bound
    assert "recurrence through add" in found.resource
    if distance == 1:
        assert compile_graph(chain(operations, distance), PEA).interval == bound


def test_negative_cycle_is_one_and_is_found_whenever_there_is_one():
    source = random.Random(1)
    for _ in range(300):
        nodes = [str(number) for number in range(source.randint(1, 7))]
        weights = {
            (source.choice(nodes), source.choice(nodes)): source.randint(-3, 6)
            for _ in range(source.randint(0, 14))
        }
        network = nx.DiGraph()
        network.add_weighted_edges_from((a, b, weight) for (a, b), weight in weights.items())
        found = negative_cycle(nodes, [(a, b, weight) for (a, b), weight in weights.items()])
        if found is None:
            assert not nx.negative_edge_cycle(network)
        else:
            assert sum(weights[step] for step in pairwise([*found, found[0]])) < 0


def test_bound_of_ports():
    graph = Graph("wide")
    total = None
    for number in range(9):
        load = graph.add(Node(f"x{number}", Role.LOAD, access=Access(f"x{number}")))
        total = (
            load
            if total is None
            else graph.add(Node(f"add{number}", Role.COMPUTE, Operation.ADD, (total, load)))
        )
    graph.add(Node("y", Role.STORE, operands=(total,), access=Access("y")))
    first = bounds_of(lower(graph, PEA), PEA)[0]
    assert (first.interval, first.resource) == (2, "memory ports: 9 words input a trip")


def lanes(count):
    """``count`` products with one factor in common, and their sums with words of their own."""
    graph = Graph("lanes")
    factor = graph.add(Node("w", Role.LOAD, access=Access("w")))
    for number in range(count):
        words = [
            graph.add(Node(f"{name}{number}", Role.LOAD, access=Access(f"{name}{number}")))
            for name in "xy"
        ]
        product = Node(f"mul{number}", Role.COMPUTE, Operation.MUL, (words[0], factor))
        total = Node(f"add{number}", Role.COMPUTE, Operation.ADD, (graph.add(product), words[1]))
        graph.add(
            Node(
                f"z{number}", Role.STORE, operands=(graph.add(total),), access=Access(f"z{number}")
            )
        )
    return graph


def test_a_word_that_many_use_comes_in_twice():
    split = split_words(lower(lanes(4), PEA), PEA, 2)
    assert split is not None
    again = [n for n in split.of_role(Role.LOAD) if n.access.array == "w"]
    assert len(again) == 2
    makers = [use.producer for n in split.nodes.values() for use in n.uses]
    assert [makers.count(node.name) for node in again] == [2, 2]
    assert split_words(lower(lanes(4), PEA), PEA, 1) is None, "no port has a turn"


def test_the_exact_method_runs():
    """What it finds is a mapping as any other: the golden model runs it."""
    length, count = 7, 3
    graph = lower(lanes(count), PEA)
    split = split_words(graph, PEA, 1)
    found = solve(Problem(split, PEA, 1, 1), 10.0)
    assert found.mapping is not None
    compiled = Compiled(graph, found.mapping, PEA, bounds_of(graph, PEA), "exact", 0.0, "")
    names = [node.name for node in graph.of_role(Role.LOAD)]
    results = [node.name for node in graph.of_role(Role.STORE)]
    kernel = GraphKernel(graph)
    kernel.use(compiled)
    task = CompiledTask(
        kernel,
        (length,),
        [Operand(name, (length,), "int32") for name in names],
        [Operand(name, (length,), "int32") for name in results],
    )
    arrays = [np.arange(length, dtype=np.int32) * k + k for k in range(len(names))]
    outputs, outcome = run_golden(OctopusConfig.load("default"), task, arrays)
    assert outcome.status is Status.OK, outcome.reason
    given = dict(zip(names, arrays, strict=True))
    for number, output in enumerate(outputs):
        wanted = given[f"x{number}"] * given["w"] + given[f"y{number}"]
        np.testing.assert_array_equal(output, wanted)


def test_the_exact_method_leaves_out_words_that_nobody_takes():
    graph = Graph("unused")
    for name in ("unused", "gone", "used"):
        graph.add(Node(name, Role.LOAD, access=Access(name)))
    graph.add(Node("far", Role.GATHER, operands=(Use("used"),), access=Access("table", 0, ())))
    graph.add(Node("sum", Role.COMPUTE, Operation.ADD, (Use("used"), Constant(1))))
    graph.add(Node("out", Role.STORE, operands=(Use("sum"),), access=Access("out")))
    lowered = lower(graph, PEA)
    found = solve(Problem(lowered, PEA, 2, PEA.stages), 10.0)
    assert found.mapping is not None
    loads = {name for name in found.mapping.ports if lowered.nodes[name].role is Role.LOAD}
    assert not loads & {"unused", "gone", "far"} and loads


@pytest.mark.parametrize(("stages", "simple"), [(2, 1), (4, 1), (6, 1), (6, 2), (3, 3)])
def test_a_recurrence_takes_what_its_operations_take(stages, simple):
    pea = PEA.model_copy(update={"pipeline_stages": stages, "simple_latency": simple})
    graph = chain(3, 1, last=Operation.MUL)
    compiled = compile_graph(graph, pea)
    assert compiled.interval == compiled.bound == 2 * simple + stages


@pytest.mark.parametrize(
    ("simple", "last", "interval"),
    [(2, Operation.ADD, 3), (1, Operation.MUL, 2), (1, Operation.ADD, 1)],
)
def test_the_exact_method_proves(simple, last, interval):
    """A recurrence of two operations takes four cycles, three or two, never one less."""
    pea = PEA.model_copy(update={"simple_latency": simple})
    graph = lower(chain(2, 1, last=last), pea)
    found = solve(Problem(graph, pea, interval, pea.stages), 5.0)
    assert found.mapping is None and found.proven


def test_a_pe_writes_one_register_a_cycle():
    fabric = Fabric(PEA, 4, 1)
    fabric.read_register((0, 0), "product", 3, ("user",), 5)
    fabric.read_register((0, 0), "product", 3, ("other",), 6)
    with pytest.raises(ConflictError):
        fabric.read_register((0, 0), "sum", 7, ("user",), 8)
    fabric.read_register((0, 1), "sum", 7, ("user",), 8)
    fabric.forget_read((0, 0), "product", ("user",))
    with pytest.raises(ConflictError):
        fabric.read_register((0, 0), "sum", 7, ("user",), 8)
    fabric.forget_read((0, 0), "product", ("other",))
    fabric.read_register((0, 0), "sum", 7, ("user",), 8)


def test_the_exact_method_builds_no_model_that_would_be_late():
    graph = lower(chain(2, 1), PEA)
    problem = Problem(graph, PEA, 4, PEA.stages)
    found = solve(problem, 5.0, deadline=clock.process_time())
    assert found.mapping is None and not found.proven
    assert found.reason == "no time left" and found.work == 0


def test_an_operation_that_no_pe_has():
    ai = PEA.model_copy(update={"operations": "ai"})
    graph = chain(1, 1)
    graph.change("add0", operation=Operation.XOR)
    with pytest.raises(CompileError, match="add0 is XOR, which no PE of the array has"):
        compile_graph(graph, ai)


def test_a_graph_needs_all_features():
    pea = PEA.model_copy(update={"features": [["full", "systolic"]]})
    with pytest.raises(CompileError, match="the operations all and the features systolic"):
        compile_graph(chain(1, 1), pea)


def test_operations_go_where_they_can_be_done():
    """Only one column can multiply."""
    array = {"operations": (("all", "alu", "alu", "alu"),)}
    graph = parse_dot(BUTTERFLY, "butterfly")
    compiled = compile_graph(graph, PEA.model_copy(update=array))
    assert compiled.mapping.places["turned"][0][1] == 0


def test_context_slots_bound_the_interval():
    few = PEA.model_copy(update={"context_slots": 4})
    with pytest.raises(CompileError, match=r"of 5 at least .*the array has 4 context slots"):
        compile_graph(chain(5, 1), few)


def test_within_an_iteration_nothing_depends_on_itself():
    graph = Graph("loop")
    graph.add(Node("a", Role.COMPUTE, Operation.ADD, (Use("b"), Constant(1))))
    graph.add(Node("b", Role.COMPUTE, Operation.ADD, (Use("a"), Constant(1))))
    with pytest.raises(CompileError, match=r"a -> b|b -> a"):
        graph.check()


def test_listing_and_picture(tmp_path):
    compiled = compile_graph(chain(2, 1, initial=5), PEA)
    text = listing(compiled)
    assert "recurrence through" in text and "r0 = 5" in text
    assert "add0 @" in text and "x = x[0 + [1]]" in text
    draw(compiled, tmp_path / "mapping.png")
    assert (tmp_path / "mapping.png").stat().st_size > 5000


def test_the_same_graph_gives_the_same_image():
    graph = parse_dot(BUTTERFLY, "butterfly")
    assert compile_graph(graph, PEA).image(0) == compile_graph(graph, PEA).image(0)
