"""The golden PE against hand-worked cases of the specification."""

import pytest

from octopus.hw.config import OctopusConfig, PeaConfig
from octopus.hw.layouts.features import features_of
from octopus.hw.layouts.instruction import (
    OperandSource,
    Operation,
    OutputSelect,
    PredicateMode,
    RequantiseParameters,
)
from octopus.hw.layouts.operations import operations_of
from octopus.hw.layouts.words import pack
from octopus.sched.kernels.assembler import Instruction
from octopus.verify.golden.instruction import EAST, WEST, as_built, decode
from octopus.verify.golden.pe import ProcessingElement

S, R = OperandSource, OutputSelect
NOTHING = [None] * 4


def array(latency: int = 2, simple: int = 1) -> PeaConfig:
    changes = {"pipeline_stages": latency, "simple_latency": simple}
    return OctopusConfig.load("tiny").pea.model_copy(update=changes)


def run(element, instruction, inputs=NOTHING, active=1, clear=False):
    element.step(decode(*instruction.words()), active, clear, inputs)
    return element.outputs


def compute(operation, a, b=0, latency=1):
    """The result of one operation on operands from west and east, or None."""
    element = ProcessingElement(array(latency))
    instruction = Instruction(operation, S.WEST, S.EAST, north=R.RESULT)
    inputs = [None, b & 0xFFFFFFFF, None, a & 0xFFFFFFFF]
    return run(element, instruction, inputs)[0]


@pytest.mark.parametrize(
    ("operation", "a", "b", "result"),
    [
        (Operation.PASS, -3, 0, -3),
        (Operation.ADD, 0x7FFFFFFF, 1, -(1 << 31)),
        (Operation.SUB, 0, 1, -1),
        (Operation.MUL, -3, 5, -15),
        (Operation.MUL, 0x10000, 0x10000, 0),
        (Operation.MULH, -1, 1, -1),
        (Operation.MULH, -(1 << 31), -(1 << 31), 1 << 30),
        (Operation.SHL, 1, 33, 2),
        (Operation.SHR, -1, 28, 15),
        (Operation.SAR, -16, 2, -4),
        (Operation.AND, 12, 10, 8),
        (Operation.OR, 12, 10, 14),
        (Operation.XOR, 12, 10, 6),
        (Operation.MIN, -1, 1, -1),
        (Operation.MAX, -1, 1, 1),
        (Operation.EQ, 5, 5, 1),
        (Operation.NE, 5, 5, 0),
        (Operation.LT, -1, 1, 1),
        (Operation.GE, -1, 1, 0),
        (Operation.LTU, -1, 1, 0),
        (Operation.GEU, -1, 1, 1),
        (Operation.SELECT, 7, 9, 9),
        (Operation.ABS, -(1 << 31), 0, -(1 << 31)),
        (Operation.ABS, -4, 0, 4),
        (Operation.RELU, -4, 0, 0),
        (Operation.CLAMP8, 200, 0, 127),
        (Operation.CLAMP8, -200, 0, -128),
        (Operation.DOT4, 0x01FF0203, 0x7F800102, 127 + 128 + 2 + 6),
    ],
)
def test_operations(operation, a, b, result):
    assert compute(operation, a, b) == result & 0xFFFFFFFF


@pytest.mark.parametrize("latency", [1, 2, 3, 4])
def test_result_lands_after_the_latency(latency):
    element = ProcessingElement(array(latency))
    source = Instruction(Operation.PASS, S.CONSTANT, constant=5, destination=1, east=R.RESULT)
    read = Instruction(north=R.ROUTE, route=S.REGISTER, b_register=1)
    seen = [run(element, source)[EAST]]
    seen += [run(element, Instruction())[EAST] for _ in range(4)]
    assert seen == [5 if cycle == latency - 1 else None for cycle in range(5)]
    assert run(element, read)[0] == 5


def test_register_is_old_until_the_latency_has_passed():
    element = ProcessingElement(array(2))
    run(element, Instruction(Operation.PASS, S.CONSTANT, constant=5, destination=1))
    read = Instruction(north=R.ROUTE, route=S.REGISTER, b_register=1)
    assert run(element, read)[0] == 0
    assert run(element, read)[0] == 5


@pytest.mark.parametrize("simple", [1, 2, 3])
def test_an_early_result_lands_after_the_latency_of_simple_operations(simple):
    element = ProcessingElement(array(4, simple))
    add = Instruction(
        Operation.ADD, S.WEST, S.CONSTANT, constant=5, destination=1, east=R.RESULT, early=True
    )
    seen = [run(element, add, [None, None, None, 2])[EAST]]
    seen += [run(element, Instruction())[EAST] for _ in range(4)]
    assert seen == [7 if cycle == simple - 1 else None for cycle in range(5)]
    assert element.registers[1] == 7


def test_a_product_is_never_early():
    element = ProcessingElement(array(3, 1))
    multiply = Instruction(
        Operation.MUL, S.CONSTANT, S.CONSTANT, constant=5, east=R.RESULT, early=True
    )
    seen = [run(element, multiply)[EAST]] + [run(element, Instruction())[EAST] for _ in range(3)]
    assert seen == [None, None, 25, None]


def test_two_results_at_once_share_what_only_one_of_them_wants():
    element = ProcessingElement(array(2, 1))
    multiply = Instruction(
        Operation.MUL, S.CONSTANT, S.CONSTANT, constant=3, destination=1, east=R.RESULT, exit=True
    )
    compare = Instruction(Operation.LT, west=R.RESULT, write_predicate=True, early=True)
    run(element, multiply)
    outputs = run(element, compare)
    assert (outputs[EAST], outputs[WEST]) == (9, 0)
    assert (element.registers[1], element.predicate, element.exit) == (9, False, True)


def test_an_early_result_takes_link_register_and_predicate_from_an_older_one():
    element = ProcessingElement(array(2, 1))
    wide = {"write_predicate": True, "east": R.RESULT}
    multiply = Instruction(Operation.MUL, S.CONSTANT, S.CONSTANT, constant=3, destination=1, **wide)
    compare = Instruction(Operation.LT, destination=2, early=True, **wide)
    run(element, multiply)
    assert run(element, compare)[EAST] == 0
    assert element.registers[1:3] == [0, 0]
    assert not element.predicate


def test_clear_discards_early_results_too():
    element = ProcessingElement(array(4, 2))
    run(element, Instruction(Operation.PASS, S.CONSTANT, constant=1, east=R.RESULT, early=True))
    assert run(element, Instruction(), clear=True)[EAST] is None
    assert run(element, Instruction())[EAST] is None


def test_valid_result_wins_over_straight():
    element = ProcessingElement(array(2))
    run(element, Instruction(Operation.PASS, S.CONSTANT, constant=5, east=R.RESULT))
    assert run(element, Instruction(east=R.STRAIGHT), [None, None, None, 9])[EAST] == 5
    run(element, Instruction(Operation.PASS, S.NORTH, east=R.RESULT))
    assert run(element, Instruction(east=R.STRAIGHT), [None, None, None, 9])[EAST] == 9


def test_what_enabled_and_predicate_gate():
    element = ProcessingElement(array(1))
    links = [1, 2, 3, 4]
    straight = Instruction(east=R.STRAIGHT, north=R.ROUTE, route=S.WEST)
    assert run(element, straight, links, active=0)[:2] == [4, 4]
    constant = Instruction(east=R.ROUTE, route=S.CONSTANT, constant=6)
    assert run(element, constant, links, active=0)[EAST] is None
    result = Instruction(Operation.PASS, S.CONSTANT, constant=6, east=R.RESULT)
    for mode, value in ((PredicateMode.IF_TRUE, None), (PredicateMode.IF_FALSE, 6)):
        gated = Instruction(Operation.PASS, S.CONSTANT, constant=6, east=R.RESULT, predicate=mode)
        assert run(element, gated, links)[EAST] == value
    assert run(element, result, links, active=0b10)[EAST] is None


def test_predicate_and_exit():
    element = ProcessingElement(array(2))
    raise_exit = Instruction(
        Operation.PASS, S.CONSTANT, constant=1, write_predicate=True, exit=True
    )
    run(element, raise_exit)
    assert not element.exit
    run(element, Instruction())
    assert element.exit
    assert element.predicate
    run(element, Instruction())
    assert not element.exit


def test_clear_discards_results_in_flight():
    element = ProcessingElement(array(3))
    run(element, Instruction(Operation.DOT4, S.CONSTANT, S.CONSTANT, constant=1, east=R.RESULT))
    drain = Instruction(Operation.READ_ACCUMULATOR, west=R.RESULT)
    run(element, drain, clear=True)
    assert [run(element, Instruction())[EAST] for _ in range(3)] == [None] * 3
    assert element.outputs[WEST] is None


def test_accumulator():
    element = ProcessingElement(array(1))
    dot = Instruction(Operation.DOT4, S.CONSTANT, S.CONSTANT, constant=2)
    drain = Instruction(Operation.READ_ACCUMULATOR, S.WEST, west=R.RESULT)
    run(element, dot)
    run(element, dot)
    assert run(element, drain)[WEST] is None
    assert run(element, drain, [None, None, None, 10])[WEST] == 18
    assert run(element, drain, [None, None, None, 10])[WEST] is None


@pytest.mark.parametrize(
    ("accumulated", "parameters", "result"),
    [
        (100, {"multiplier": 1, "shift": 0}, 100),
        (3, {"multiplier": 1, "shift": 1}, 2),
        (-3, {"multiplier": 1, "shift": 1}, -1),
        (1000, {"multiplier": 1, "shift": 0}, 127),
        (-1000, {"multiplier": 1, "shift": 0}, -128),
        (-1000, {"multiplier": 1, "shift": 0, "relu": 1, "zero_point": -5}, -5),
        (-(1 << 31), {"multiplier": 0xFFFF, "shift": 41, "zero_point": 1}, -63),
        ((1 << 31) - 1, {"multiplier": 0xFFFF, "shift": 63, "zero_point": 1}, 1),
    ],
)
def test_requantise(accumulated, parameters, result):
    element = ProcessingElement(array(1))
    run(element, Instruction(Operation.DOT4))
    word = pack(RequantiseParameters, parameters)[0]
    drain = Instruction(Operation.REQUANTISE, S.WEST, S.CONSTANT, constant=word, east=R.RESULT)
    inputs = [None, None, None, accumulated & 0xFFFFFFFF]
    assert run(element, drain, inputs)[EAST] == result & 0xFFFFFFFF


def test_small_elements_take_what_they_lack_for_nop():
    full = features_of("full")
    for operation, kept in ((Operation.ADD, True), (Operation.SUB, False)):
        instruction = decode(*Instruction(operation, S.WEST, S.NORTH, east=R.RESULT).words())
        built = as_built(instruction, operations_of("ai"), full)
        assert built.operation is (operation if kept else Operation.NOP)
        assert built.reads_link(WEST) == kept
        assert as_built(instruction, operations_of("all"), full) is instruction


def test_a_systolic_element_takes_what_it_lacks_for_nothing():
    fields = Instruction(
        Operation.ADD,
        S.WEST,
        S.WEST,
        predicate=PredicateMode.IF_TRUE,
        write_predicate=True,
        exit=True,
        north=R.RESULT,
        east=R.RESULT,
        south=R.ROUTE,
        west=R.STRAIGHT,
        route=S.EAST,
    )
    built = as_built(decode(*fields.words()), operations_of("mac"), features_of("systolic"))
    assert (built.a, built.b, built.route) == (S.ZERO, S.WEST, S.ZERO)
    assert built.outputs == (R.RESULT, R.NONE, R.NONE, R.NONE)
    assert built.predicate is PredicateMode.ALWAYS
    assert not built.write_predicate and not built.exit
