"""Streams of deep pipelines touch nothing of others: guard words where the stride leads."""

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.descriptor import Element, Status
from octopus.hw.layouts.instruction import Operation, PredicateMode
from octopus.sched.compile.graph import Access, Constant, Graph, Node, Role, Use
from octopus.sched.kernels.compiled import CompiledTask, GraphKernel
from octopus.sched.kernels.operand import Operand, TaskError
from octopus.verify.bench.stream_check import trespasses
from octopus.verify.bench.tbu_tasks import run_golden

LENGTH = 7


def deep_chip(rows=2, columns=2, stages=1):
    """A pipeline deeper than the stages that instructions can name."""
    config = OctopusConfig.load("default")
    array = {"rows": rows, "columns": columns, "pipeline_stages": 6, "stages": stages}
    return config.model_copy(update={"pea": config.pea.model_copy(update=array)})


def chain(loads, stores, depth=2, element=Element.WORD):
    """Every store takes the sum of the loads, plus its number, after so many operations."""
    graph = Graph("chain")
    for name, offset, stride in loads:
        graph.add(Node(name, Role.LOAD, access=Access(name, offset, (stride,), element)))
    total = Use(loads[0][0])
    for name, _, _ in loads[1:]:
        total = graph.add(Node(f"plus_{name}", Role.COMPUTE, Operation.ADD, (total, Use(name))))
    for number, (name, offset, stride) in enumerate(stores):
        value = total
        for step in range(depth + number):
            node = Node(f"{name}_{step}", Role.COMPUTE, Operation.ADD, (value, Constant(1)))
            value = graph.add(node)
        access = Access(name, offset, (stride,), element)
        graph.add(Node(name, Role.STORE, operands=(value,), access=access))
    return graph


def task_of(graph, element=Element.WORD, size=LENGTH, length=LENGTH, starts=False):
    kind = "int32" if element is Element.WORD else "int8"
    arrays = [
        [Operand(node.name, (size,), kind) for node in graph.of_role(role)]
        for role in (Role.LOAD, Role.STORE)
    ]
    begin = [Operand(f"start_{o.name}", (size,), kind) for o in arrays[1]] if starts else []
    return CompiledTask(
        GraphKernel(graph, effort=0),
        (length,),
        arrays[0] + begin,
        arrays[1],
        starts={o.name: f"start_{o.name}" for o in arrays[1]} if starts else None,
    )


def check(config, task):
    """Right, and within its own arrays."""
    assert trespasses(config, task) == []
    arrays = [operand.random(number) for number, operand in enumerate(task.inputs)]
    outputs, outcome = run_golden(config, task, arrays)
    assert outcome.status is Status.OK, outcome.reason
    expected, _ = task.reference(*arrays)
    for found, wanted in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def pairs(turned, element):
    """Five chains of their own, ``x0`` to ``y0`` and so on, each longer than the one before."""
    graph = Graph("pairs")
    for number in range(5):
        x, y = f"x{number}", f"y{number}"
        way = {name: (LENGTH - 1, (-1,)) if name[0] in turned else (0, (1,)) for name in (x, y)}
        graph.add(Node(x, Role.LOAD, access=Access(x, *way[x], element)))
        value = Use(x)
        for step in range(number + 1):
            node = Node(f"{y}_{step}", Role.COMPUTE, Operation.SUB, (Constant(step), value))
            value = graph.add(node)
        graph.add(Node(y, Role.STORE, operands=(value,), access=Access(y, *way[y], element)))
    return graph


@pytest.mark.parametrize("element", [Element.WORD, Element.BYTE_SIGNED])
@pytest.mark.parametrize("turned", ["", "x", "y", "xy"])
def test_strides_of_both_signs(turned, element):
    task = task_of(pairs(turned, element), element)
    config = deep_chip(1, 2)
    # There are words that mean nothing, so that the guards are tried.
    assert any(s.early for s in task.kernel.compiled(config.pea).streams if s.output)
    check(config, task)


@pytest.mark.parametrize("stride", [1, -1, 2, -2])
def test_stores_that_share_a_port(stride):
    size = (LENGTH - 1) * abs(stride) + 1
    offset = 0 if stride > 0 else size - 1
    names = [f"y{number}" for number in range(5)]
    graph = chain([("x", 0, 1)], [(name, offset, stride) for name in names])
    task = task_of(graph, size=size, starts=abs(stride) > 1)
    config = deep_chip(1, 2)
    assert any(
        len(stream.nodes) > 1
        for stream in task.kernel.compiled(config.pea).streams
        if stream.output
    )
    check(config, task)


def test_loads_that_share_a_port():
    loads = [(f"x{number}", LENGTH - 1, -1) for number in range(5)]
    check(deep_chip(1, 2), task_of(chain(loads, [("y", 0, 1)])))


def test_result_in_a_shared_port():
    """The result word is read where the stream wrote it."""
    graph = chain([("x", 0, 1)], [(name, 0, 0) for name in ("a", "b", "c", "d")], depth=0)
    task = CompiledTask(
        GraphKernel(graph, effort=0),
        (LENGTH,),
        [Operand("x", (LENGTH,), "int32")],
        [Operand(name, (1,), "int32") for name in "abcd"],
        result="d",
    )
    x = np.arange(LENGTH, dtype=np.int32) * 11
    outputs, outcome = run_golden(deep_chip(1, 1), task, [x])
    assert outcome.status is Status.OK
    assert [int(one[0]) for one in outputs] == [x[-1] + depth for depth in range(4)]
    assert outcome.value == x[-1] + 3


def store_graph(*stores, loads=(("x", 0),)):
    graph = Graph("g")
    for name, offset in loads:
        graph.add(Node(name, Role.LOAD, access=Access(name, offset)))
    for name, array, offset, stride, fields in stores:
        access = Access(array, offset, (stride,))
        node = Node(name, Role.STORE, operands=(Use("x"),), access=access, **fields)
        graph.add(node)
    return graph


WHEN = {"predicate": Use("x"), "when": PredicateMode.IF_TRUE}


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (store_graph(("y", "y", 1, 1, {})), r"y touches y\[4\]; allowed: 0 to 3"),
        (store_graph(("y", "y", 2, -1, {})), r"y touches y\[-1\]; allowed: 0 to 3"),
        (store_graph(("y", "y", 0, 1, {}), loads=[("x", 1)]), r"x touches x\[4\]; allowed: 0 to 3"),
        (store_graph(("y", "y", 0, 0, {})), r"nothing writes y\[1\]; allowed: all of it"),
        (
            store_graph(("y", "y", 0, 1, {}), ("z", "y", 3, -1, {})),
            r"y and z write y\[0\]; allowed: one of them",
        ),
        (
            store_graph(("y", "y", 0, 1, WHEN), ("z", "y", 0, 1, WHEN)),
            "y and z write y at addresses that are not known; allowed: one",
        ),
        (store_graph(("y", "y", 0, 1, WHEN)), "y needs an input as which it starts"),
        (store_graph(("y", "x", 0, 1, {})), "y writes an input, x; memory is not ordered"),
        (store_graph(("y", "w", 0, 1, {})), "has no array w"),
    ],
)
def test_accesses_that_are_refused(graph, message):
    with pytest.raises(TaskError, match=message):
        CompiledTask(
            GraphKernel(graph),
            (4,),
            [Operand("x", (4,), "int32")],
            [Operand("y", (4,), "int32")],
        )


def test_counts_above_sixteen_bits_are_refused_by_name():
    task = task_of(chain([("x", 0, 0)], [("y", 0, 0)]), size=1, length=65536)
    with pytest.raises(TaskError, match=r"chain: .*count0 is 655\d\d; allowed: 1 to 65535"):
        trespasses(deep_chip(), task)


@pytest.mark.parametrize(("offset", "stride"), [(4, 1), (4, -1), (8, -2), (12, 1), (2, -1)])
def test_parts_that_nobody_stores_stay(offset, stride):
    """Words that mean nothing do not come into the array before or behind what is stored."""
    graph = pairs("", Element.WORD)
    for number in range(5):
        name = f"y{number}"
        graph.change(name, access=Access(name, offset, (stride,)))
    length, size = 3, 16
    task = CompiledTask(
        GraphKernel(graph, effort=0),
        (length,),
        [Operand(f"x{number}", (length,), "int32") for number in range(5)]
        + [Operand(f"start{number}", (size,), "int32") for number in range(5)],
        [Operand(f"y{number}", (size,), "int32") for number in range(5)],
        starts={f"y{number}": f"start{number}" for number in range(5)},
    )
    check(deep_chip(1, 2, stages=8), task)
