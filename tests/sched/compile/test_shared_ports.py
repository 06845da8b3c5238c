"""Words of nodes that share a port: they start together, and end together."""

import random

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Status
from octopus.hw.layouts.instruction import Operation
from octopus.sched.compile.compiler import compile_graph
from octopus.sched.compile.errors import CompileError
from octopus.sched.compile.graph import Access, Constant, Graph, Node, Role, Use
from octopus.sched.compile.validity import Validity, exposed_stores
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.operand import Operand
from octopus.verify.bench.stream_check import trespasses
from octopus.verify.bench.tbu_tasks import run_golden


def chip(rows, columns, latency, stages=8):
    config = OctopusConfig.load("default")
    array = {"rows": rows, "columns": columns, "pipeline_stages": latency, "stages": stages}
    unit = config.task_block_unit.model_copy(update={"descriptor_words": 512})
    pea = config.pea.model_copy(update=array | {"context_slots": 32})
    return config.model_copy(update={"pea": pea, "task_block_unit": unit})


def five_stores():
    graph = Graph("five")
    for number in range(4):
        graph.add(Node(f"x{number}", Role.LOAD, access=Access(f"x{number}")))
    for name, operation, source, constant in (
        ("a", Operation.ADD, "x0", 73),
        ("b", Operation.XOR, "x1", 16),
        ("c", Operation.XOR, "b", 61),
        ("d", Operation.XOR, "x2", 13),
        ("e", Operation.ADD, "x3", 50),
    ):
        graph.add(Node(name, Role.COMPUTE, operation, (Use(source), Constant(constant))))
    for number, source in enumerate("eacbd"):
        store = Node(f"y{number}", Role.STORE, operands=(Use(source),), access=Access(f"y{number}"))
        graph.add(store)
    return graph


def task_of(graph, compiled, length):
    """A use of a graph of vectors of one length."""
    arrays = [
        [Operand(node.name, (length,), "int32") for node in graph.of_role(role)]
        for role in (Role.LOAD, Role.STORE)
    ]
    kernel = GraphKernel(graph)
    kernel.use(compiled)
    return CompiledTask(kernel, (length,), *arrays)


@pytest.mark.parametrize("latency", [1, 2, 3, 6])
def test_five_stores_on_four_ports(latency):
    """One of the two that share a port comes to its end before the other."""
    config = chip(2, 2, latency)
    compiled = compile_graph(five_stores(), config.pea, effort=0)
    assert compiled.interval == 2
    for length in (1, 2, 11, 37):
        x = [np.arange(length, dtype=np.int32) * k - 5 for k in (3, 1000, -7, 90)]
        task = task_of(five_stores(), compiled, length)
        assert trespasses(config, task) == []
        outputs, outcome = run_golden(config, task, x)
        assert outcome.status is Status.OK
        wanted = [x[3] + 50, x[0] + 73, x[1] ^ 16 ^ 61, x[1] ^ 16, x[2] ^ 13]
        np.testing.assert_array_equal(outputs, wanted)


def test_body_and_streams_are_longer_where_a_store_would_end_first():
    pea = chip(1, 2, 6).pea.model_copy(update={"simple_latency": 6})
    compiled = compile_graph(five_stores(), pea, effort=0)
    validity = Validity(compiled.mapping)
    assert validity.longer > 0
    for stream in compiled.streams:
        assert stream.longer == (0 if stream.output else validity.longer)
        if stream.output:
            gives = [
                validity.before[node.name] + validity.after[node.name] for node in stream.nodes
            ]
            assert min(gives) >= stream.early


def wide_graph(source, stores):
    """Values of every depth, each stored."""
    graph = Graph("wide")
    values = []
    for number in range(source.randint(2, 4)):
        values.append(graph.add(Node(f"x{number}", Role.LOAD, access=Access(f"x{number}"))))
    for number in range(stores):
        operands = (source.choice(values[-3:]), source.choice([*values, Constant(number + 3)]))
        operation = source.choice([Operation.ADD, Operation.XOR, Operation.SUB])
        values.append(graph.add(Node(f"v{number}", Role.COMPUTE, operation, operands)))
        store = Node(f"y{number}", Role.STORE, operands=(values[-1],), access=Access(f"y{number}"))
        graph.add(store)
    return graph


@pytest.mark.parametrize("seed", range(6))
def test_many_stores_of_every_depth(seed):
    source = random.Random(seed)
    config = chip(*source.choice([(1, 2), (2, 2), (3, 2)]), source.choice([2, 3, 6]))
    graph = wide_graph(source, source.randint(5, 9))
    compiled = compile_graph(graph, config.pea, attempts=2, effort=0)
    for length in (1, 2, 11):
        task = task_of(graph, compiled, length)
        arrays = [operand.random(seed) for operand in task.inputs]
        outputs, outcome = run_golden(config, task, arrays)
        assert outcome.status is Status.OK
        expected, _ = task.reference(*arrays)
        np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize(
    ("accesses", "exposed"),
    [
        ([(0, 1)], False),
        ([(0, 2), (1, 2)], False),
        ([(0, 2), (5, -2)], False),
        ([(0, 1), (20, 1)], True),
        ([(0, 2), (1, 3)], True),
        ([(0, 0), (1, 0)], False),
    ],
)
def test_parts_of_an_array_that_words_without_meaning_could_hit(accesses, exposed):
    graph = Graph("parts")
    x = graph.add(Node("x", Role.LOAD, access=Access("x")))
    names = [f"y{number}" for number in range(len(accesses))]
    for name, (offset, stride) in zip(names, accesses, strict=True):
        graph.add(Node(name, Role.STORE, operands=(x,), access=Access("y", offset, (stride,))))
    assert exposed_stores(graph) == (set(names) if exposed else set())


def test_halves_of_an_array_do_not_overwrite_each_other():
    graph = Graph("halves")
    x = graph.add(Node("x", Role.LOAD, access=Access("x")))
    values = [x]
    for number in range(4):
        operands = (values[-1], Constant(number + 1))
        values.append(graph.add(Node(f"v{number}", Role.COMPUTE, Operation.ADD, operands)))
    graph.add(Node("low", Role.STORE, operands=(x,), access=Access("y", 2, (-1,))))
    graph.add(Node("high", Role.STORE, operands=(values[-1],), access=Access("y", 3)))
    config = chip(3, 3, 2)
    kernel = GraphKernel(graph, effort=0)
    for length, size in ((1, 4), (3, 6)):
        arrays = [np.arange(length, dtype=np.int32) + 100]
        start = Operand("start", (size,), "int32")
        task = CompiledTask(
            kernel,
            (length,),
            [Operand("x", (length,), "int32"), start],
            [Operand("y", (size,), "int32")],
            starts={"y": "start"},
        )
        (y,), outcome = run_golden(config, task, [*arrays, np.full(size, -1, np.int32)])
        assert outcome.status is Status.OK
        wanted = np.full(size, -1)
        wanted[2 - np.arange(length)] = arrays[0]
        wanted[3 : 3 + length] = arrays[0] + 10
        np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("stores", [3, 5])
def test_stores_of_one_value_get_a_word_each(stores):
    """A link brings a value to any number, but a word on the edge is for one store."""
    graph = Graph("again")
    x = graph.add(Node("x", Role.LOAD, access=Access("x")))
    total = graph.add(Node("s", Role.COMPUTE, Operation.ADD, (x, Use("s", 1, 5))))
    for number in range(stores):
        store = Node(f"y{number}", Role.STORE, operands=(total,), access=Access(f"y{number}"))
        graph.add(store)
    config = chip(1, 1, 1, stages=1)
    compiled = compile_graph(graph, config.pea, effort=0)
    slots = [(port, time % compiled.interval) for port, time in compiled.mapping.ports.values()]
    outputs = [
        slot for slot, name in zip(slots, compiled.mapping.ports, strict=True) if name != "x"
    ]
    assert len(set(outputs)) == stores
    array = np.arange(6, dtype=np.int32) * 7
    found, outcome = run_golden(config, task_of(graph, compiled, 6), [array])
    assert outcome.status is Status.OK
    np.testing.assert_array_equal(found, [np.cumsum(array) + 5] * stores)


def test_more_patterns_than_ports_are_refused():
    """Accesses of different strides cannot share a port, at any interval."""
    graph = Graph("strides")
    total = graph.add(Node("x0", Role.LOAD, access=Access("x0", 0, (1,))))
    for stride in (2, 3):
        x = graph.add(Node(f"x{stride}", Role.LOAD, access=Access(f"x{stride}", 0, (stride,))))
        node = Node(f"s{stride}", Role.COMPUTE, Operation.ADD, (total, x))
        total = graph.add(node)
    graph.add(Node("y", Role.STORE, operands=(total,), access=Access("y")))
    with pytest.raises(CompileError, match=r"3 words input a trip, of 3 patterns .* on 2 ports"):
        compile_graph(graph, chip(1, 1, 2).pea)
