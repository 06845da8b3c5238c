"""Random sound workflows for tests: every kind of block, nested, with values that decide."""

import random

import numpy as np

from octopus.hw.layouts.block import Combine, Comparison

from ..kernels.elementwise import Scale, VectorAdd
from ..kernels.reduction import ArgMax
from .builder import Port, TensorHandle, WorkflowBuilder
from .graph import Binding, Role, Workflow
from .reference import Instance
from .scopes import MAXIMUM_DEPTH

LENGTH = 5
ROWS = 4
"""A map's count comes from an ArgMax over LENGTH elements: never more than ROWS."""

FEW = 2
"""The same where tokens of a fan-out wait in joins or maps nest: token stores are small."""

Data = TensorHandle | Binding


class RandomWorkflow:
    """Grows a workflow of at most about ``size`` blocks from a seed."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = random.Random(seed)
        self.left = size
        self.builder = WorkflowBuilder(f"random_{seed}")
        self.number = 0
        # All that may be read at any time: nothing writes it.
        self.safe = [self.builder.input(f"safe_{i}", (LENGTH,), "int32") for i in range(2)]
        self.few = self.builder.input("few", (FEW + 1,), "int32")
        self.depth = 0
        """Maps around what is being grown."""
        self.waiting = True
        """Whether blocks that wait are possible here."""

    def build(self) -> Workflow:
        """The workflow."""
        port = self.builder.source()
        for tensor in self.safe:
            port = port.task(self.name("use"), ArgMax(LENGTH, "int32"), values=tensor)
        port = self.sequence(self.decide_few(port))
        port.sink("end")
        return self.builder.build()

    def name(self, kind: str) -> str:
        """A fresh name."""
        self.number += 1
        self.left -= 1
        return f"{kind}_{self.number}"

    def sequence(self, port: Port) -> Port:
        """Some blocks after each other."""
        steps = [self.task, self.task, self.branch, self.switch, self.halving_loop]
        if self.waiting:
            steps += [self.join, self.multicast, self.counting_loop]
            steps += [self.fan_out] if self.depth < MAXIMUM_DEPTH else []
        for _ in range(self.random.randint(1, 3)):
            if self.left > 0:
                port = self.random.choice(steps)(port)
        return port

    def decide(self, port: Port) -> Port:
        """A task whose result word is the token's new value, 0 to 4."""
        values = self.random.choice(self.safe)
        return port.task(self.name("decide"), ArgMax(LENGTH, "int32"), values=values)

    def decide_few(self, port: Port) -> Port:
        """The same, 0 to FEW."""
        return port.task(self.name("decide"), ArgMax(FEW + 1, "int32"), values=self.few)

    def task(self, port: Port) -> Port:
        """A task or two on tensors of their own."""
        if self.depth or self.random.random() < 0.4:
            return self.decide(port)
        left, right = (self.random.choice(self.safe) for _ in range(2))
        made = port.task(self.name("add"), VectorAdd(LENGTH), left=left, right=right)
        return made.task(self.name("best"), ArgMax(LENGTH, "int32"), values=made["sums"])

    def branch(self, port: Port) -> Port:
        """Two ways, both (or one) with something on it, and a merge."""
        comparisons = [item for item in Comparison if item.name not in ("ALWAYS", "COUNT")]
        yes, no = port.branch(
            self.name("branch"), self.random.choice(comparisons), self.random.randint(-1, 4)
        )
        return self.sequence(yes).merge(self.name("merge"), self.decide(no))

    def switch(self, port: Port) -> Port:
        """Two or three ways and a merge."""
        ports = port.switch(self.name("switch"), self.random.randint(2, 3))
        ends = [self.decide(way) if self.random.random() < 0.7 else way for way in ports]
        return ends[0].merge(self.name("merge"), *ends[1:])

    def join(self, port: Port) -> Port:
        """Ways that all run, and a join."""
        ends = [self.sequence(port) for _ in range(2)]
        ends = [self.decide(end) if end == port else end for end in ends]
        return ends[0].join(self.name("join"), *ends[1:], combine=self.combine())

    def multicast(self, port: Port) -> Port:
        """A subset of ways and a gather."""
        some = port.multicast(self.name("multicast"), self.random.randint(1, 3))
        ends = [self.decide(arm) for arm in some.arms]
        return some.expect.gather(self.name("gather"), *ends, combine=self.combine())

    def fan_out(self, port: Port) -> Port:
        """A map over rows of its own, and a gather."""
        rich = self.depth > 0 or self.random.random() < 0.6
        limit = FEW if rich else ROWS
        count = self.decide_few(port) if rich else self.decide(port)
        fan = count.map(self.name("map"), limit)
        before = self.waiting
        self.depth, self.waiting = self.depth + 1, rich
        rows = self.state(self.name("rows"), limit)
        each = fan.each.task(self.name("row"), Scale(LENGTH, 3), values=rows, scaled=rows)
        end = self.sequence(each)
        self.depth, self.waiting = self.depth - 1, before
        return fan.expect.gather(self.name("gather"), end, combine=self.combine())

    def counting_loop(self, port: Port) -> Port:
        """A body that runs one to three times on a tensor of its own."""
        state = self.state(self.name("state"))
        begin = port.merge(self.name("begin"))
        body = begin.task(self.name("body"), Scale(LENGTH, -3, 1), values=state, scaled=state)
        end = self.sequence(body)
        loop = end.loop(self.name("loop"), Comparison.COUNT, self.random.randint(0, 2))
        loop.again.to(begin.block)
        return loop.leave

    def halving_loop(self, port: Port) -> Port:
        """Halves numbers until the first is the largest: zeros at the latest."""
        state = self.state(self.name("positive"))
        begin = port.merge(self.name("begin"))
        body = begin.task(self.name("halve"), Scale(LENGTH, 1, 1), values=state, scaled=state)
        peak = body.task(self.name("peak"), ArgMax(LENGTH, "int32"), values=state)
        loop = peak.loop(self.name("loop"), Comparison.NE, 0)
        loop.again.to(begin.block)
        return loop.leave

    def state(self, name: str, last: int = ROWS) -> Data:
        """LENGTH numbers that are the token's own: a slice where it is inside of maps.

        ``last``: the extent for the innermost map; rows may be more than its tokens.
        """
        outer = [ROWS] * (self.depth - 1) + [last] if self.depth else []
        tensor = self.builder.input(name, (*outer, LENGTH), "int32", result=True)
        return tensor.by_index() if self.depth else tensor

    def combine(self) -> Combine:
        """Any."""
        return self.random.choice(list(Combine))


def random_instances(workflow: Workflow, count: int, seed: int) -> list[Instance]:
    """Random inputs (not negative if so named); the source's value is 0 to 4."""
    random = np.random.default_rng(seed)
    inputs = [tensor for tensor in workflow.tensors.values() if tensor.role is Role.INPUT]
    return [
        Instance(
            {
                tensor.name: random.integers(
                    0 if tensor.name.startswith("positive") else -1000,
                    1000,
                    tensor.shape,
                    np.int32,
                )
                for tensor in inputs
            },
            int(random.integers(0, ROWS + 1)),
        )
        for _ in range(count)
    ]
