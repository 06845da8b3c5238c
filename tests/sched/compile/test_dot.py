"""DOT files: what is read, what is refused with its line, and that nothing is dropped."""

import numpy as np
import pytest

from octopus.hw.layouts.descriptor import Element
from octopus.hw.layouts.instruction import Operation, PredicateMode
from octopus.sched.compile.dot import parse_dot, read_dot
from octopus.sched.compile.dot_writer import write_dot
from octopus.sched.compile.errors import CompileError
from octopus.sched.compile.graph import Access, Constant, Graph, Node, Role, Use


def operands(graph, name):
    return graph.nodes[name].operands


def test_quoted_names_ports_chains_and_subgraphs():
    graph = parse_dot(
        """
        strict digraph "a kernel" {
            rankdir = LR; /* of the drawing */
            # a line of the preprocessor
            node [shape="box"]
            "x 0" [opcode="in" + "put", label=<an <b>HTML</b> label; with -&gt; signs>];
            "y;1" [opcode=input];
            subgraph cluster_0 { node [opcode=sub]; d; e }
            "y;1":s -> d:1:n;  "x 0":out -> d:0   // the second comes first
            d -> e [operand="1"]; "x 0" -> e [operand=0]
            e -> m -> out; m [opcode=abs]; out [opcode=output]
        }
        """,
        "kernel",
    )
    assert list(graph.nodes) == ["x 0", "y;1", "d", "e", "m", "out"]
    assert operands(graph, "d") == (Use("x 0"), Use("y;1"))
    assert operands(graph, "e") == (Use("x 0"), Use("d"))
    assert graph.nodes["e"].operation is Operation.SUB
    assert operands(graph, "out") == (Use("m"),)


def test_every_node_of_a_subgraph_is_an_end_of_its_edge():
    graph = parse_dot(
        "digraph g { a [opcode=input]; s [opcode=add]; t [opcode=sub]; {a a2} -> {s t};"
        "a2 [opcode=input]; s -> y; y [opcode=output]; t -> z; z [opcode=output] }",
        "g",
    )
    assert operands(graph, "s") == operands(graph, "t") == (Use("a"), Use("a2"))


def test_defaults_hold_in_their_scope():
    graph = parse_dot(
        "digraph g { x [opcode=input]; edge [distance=2, initial=7]; { edge [distance=1] x -> b }"
        "x -> a; node [opcode=output]; y; z; edge [distance=0]; a -> y; b -> z;"
        "a [opcode=pass]; b [opcode=abs] }",
        "g",
    )
    assert operands(graph, "a") == (Use("x", 2, 7),)
    assert operands(graph, "b") == (Use("x", 1, 7),)
    assert graph.nodes["z"].role is Role.STORE


def test_constants():
    graph = parse_dot(
        """digraph g { x [opcode=load]; k [opcode=const, value="-3"]; h [opcode=const value="0x10"]
        k -> a [operand=0]; x -> a [operand=1]; a [opcode=sub];
        a -> b; h -> b; b [opcode=mul]; b -> c; c [opcode=shl, constant=4];
        c -> n; n [opcode=not]; n -> y; y [opcode=store] }""",
        "g",
    )
    assert operands(graph, "a") == (Constant(-3), Use("x"))
    assert operands(graph, "b") == (Use("a"), Constant(16))
    assert operands(graph, "c") == (Use("b"), Constant(4))
    assert operands(graph, "n") == (Use("c"), Constant(-1))
    assert not {"k", "h"} & set(graph.nodes)


def test_a_missing_operand_is_one_only_where_a_file_says_nothing_of_constants():
    graph = parse_dot(
        "digraph g { x [opcode=input]; x -> a -> y; a [opcode=add]; y [opcode=output] }", "g"
    )
    assert operands(graph, "a") == (Use("x"), Constant(1))
    with pytest.raises(CompileError, match="line 2: node a has no operand b"):
        parse_dot(
            "digraph g { x [opcode=input]; x -> a [operand=0]; a -> y; y [opcode=output]\n"
            "a [opcode=add] }",
            "g",
        )


def test_computed_addresses():
    graph = parse_dot(
        """digraph g { i [opcode=input]; l [opcode=load, array=table, element=byte_signed];
        i -> l; l -> s [operand=0]; i -> s [operand=address]; s [opcode=store, array=out, offset=2];
        g [opcode=gather, array=table]; i -> g; g -> t [operand=1]; i -> t [operand=0];
        t [opcode=scatter] }""",
        "g",
    )
    assert graph.nodes["l"].role is Role.GATHER
    assert graph.nodes["l"].access == Access("table", 0, (1,), Element.BYTE_SIGNED)
    scatter = graph.nodes["s"]
    assert (scatter.role, scatter.operands) == (Role.SCATTER, (Use("i"), Use("l")))
    assert scatter.access == Access("out", 2)
    assert graph.nodes["t"].operands == (Use("i"), Use("g"))


def test_streams_and_loops():
    graph = parse_dot(
        'digraph g { loops=2; rounds=true; x [opcode=load, array=a, offset=30, stride="-1,16"];'
        "x -> y; y [opcode=store, stride=2] }",
        "g",
    )
    assert (graph.loops, graph.outer) == (2, True)
    assert graph.nodes["x"].access == Access("a", 30, (-1, 16))
    assert graph.nodes["y"].access == Access("y", 0, (2,))


def test_predicates_select_comparisons_and_exit():
    graph = parse_dot(
        """digraph g { x [opcode=input]; z [opcode=input];
        x -> c; z -> c; c [opcode=icmp, predicate=sgt];
        c -> s; x -> s; z -> s; s [opcode=select];
        c -> y [operand=predicate, when=false]; s -> y; y [opcode=output];
        x -> stop; z -> stop; stop [opcode=ule, exit=true] }""",
        "g",
    )
    assert graph.nodes["c"].operation is Operation.LT
    assert operands(graph, "c") == (Use("z"), Use("x"))
    assert graph.nodes["s"].predicate == Use("c")
    assert operands(graph, "s") == (Use("x"), Use("z"))
    assert graph.nodes["y"].predicate == Use("c")
    assert graph.nodes["y"].when is PredicateMode.IF_FALSE
    assert graph.nodes["stop"].exit
    assert graph.nodes["stop"].operation is Operation.GEU


def test_phi_and_distances():
    graph = parse_dot(
        """digraph g { x [opcode=input]; k [opcode=const, value=5];
        k -> p; n -> p; p [opcode=phi]; p -> n; x -> n; n [opcode=add];
        n -> m -> m; m [opcode=max]; m -> y; y [opcode=output];
        n -> w [distance=3, initial=9]; w [opcode=output] }""",
        "g",
    )
    assert operands(graph, "p") == (Use("n", 1, 5),)
    assert operands(graph, "m") == (Use("n"), Use("m", 1))
    assert operands(graph, "w") == (Use("n", 3, 9),)


def test_phi_that_begins_with_a_value_runs(run_dot):
    graph = parse_dot(
        """digraph g { x [opcode=input]; x -> p [operand=initial]; n -> p [operand=carried];
        p [opcode=phi]; p -> n; x -> n; n [opcode=add]; n -> y; y [opcode=output] }""",
        "g",
    )
    x = np.array([4, 10, -3, 8], np.int32)
    (y,) = run_dot(graph, [x])
    np.testing.assert_array_equal(y, [8, 18, 15, 23])  # begins with x[0] + x[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digraph g {\n a [opcode=input]\n a => b }", "line 3: not DOT"),
        ("digraph g {", "not DOT"),
        (
            "digraph g {\n a [opcode=input]; b [opcode=output];\n a -- b }",
            "line 3: an edge without",
        ),
        ("digraph g {\n a -> b; b [opcode=output] }", "line 2: b uses a, which does not exist"),
        ("digraph g {\n a [opcode=fadd] }", "line 2: node a has the unknown opcode FADD"),
        ("digraph g {\n a [opcode=icmp] }", "line 2: node a compares by nothing; allowed: "),
        (
            "digraph g {\n a [opcode=input, latency=3] }",
            "line 2: node a has an unknown attribute l",
        ),
        (
            "digraph g {\n a [opcode=input]; a -> b [delay=2]; b [opcode=output] }",
            "attribute delay",
        ),
        (
            "digraph g { a [opcode=input]; a -> b\n [operand=2]; b [opcode=abs] }",
            "operand 2 of b; a",
        ),
        (
            "digraph g { a [opcode=input]\n a -> b:q; b [opcode=abs] }",
            "line 2: a is operand q of b",
        ),
        (
            "digraph g { a [opcode=input]\n a:rest -> b; b [opcode=abs] }",
            "line 2: a has no result r",
        ),
        (
            "digraph g { a [opcode=input]\n a -> b:0 [operand=1]; b [opcode=sub] }",
            "comes to the port",
        ),
        (
            "digraph g { a [opcode=in]; a -> b [operand=0];\n a -> b [operand=0]; b [opcode=lt] }",
            "line 2: b has two operands a",
        ),
        (
            "digraph g { a [opcode=input];\n a -> b; a -> b; b [opcode=abs] }",
            "b has too many operands",
        ),
        ("strict digraph g { a [opcode=input];\n a -> b; a -> b; b [opcode=mul] }", "a -> b once"),
        ("digraph g { k [opcode=const];\n k -> y; y [opcode=output] }", "constant k has no value"),
        (
            "digraph g { k [opcode=const, value=1.5];\n k -> y; y [opcode=output] }",
            "allowed: an integer",
        ),
        ("digraph g {\n a [opcode=input, element=half] }", "element is half; allowed: word, byte"),
        ('digraph g {\n a [opcode=input, stride="1,2"] }', "has 2 strides; allowed: 1"),
        (
            "digraph g { x [opcode=in]; x -> a\n b -> a; a -> b; a [opcode=or]; b [opcode=abs] }",
            "line 2: .* depend on each other within one iteration; say distance",
        ),
        ("digraph g { x [opcode=input]; x -> a [distance=-1]; a [opcode=abs] }", "distance is -1"),
        (
            "digraph g { x [opcode=in]\n x -> a [operand=pred]; a [opcode=abs] }",
            "2: a has a",
        ),
        (
            "digraph g { a [opcode=abs, stride=2]; a -> a }",
            "an unknown attribute stride",
        ),
        ("digraph g { p [opcode=phi, value=2]; p -> p }", "unknown attribute value"),
        ("digraph g { speed=4; x [opcode=input] }", "the graph has an unknown attribute speed"),
        (
            "digraph g { x [opcode=input]; y [opcode=input]; x -> p; y -> p;\n p [opcode=phi] }",
            "which operand of p is carried",
        ),
        ("digraph g { k [type=const, datatype=float32, value=1] }", "k is of float32"),
    ],
)
def test_refused(text, message):
    with pytest.raises(CompileError, match=message):
        parse_dot(text, "g")


# One small graph in the manner of each project whose files are read.
CGRA_ME = """digraph G {
mul0[opcode=mul]; const1[opcode=const, const_value=" 4"]; load2[opcode=load]; add3[opcode=add];
add4[opcode=add]; const5[opcode=const, const_value=" 1"]; output6[opcode=output];
store7[opcode=store];
const1->mul0[operand=0]; //gep_const->gep_mul
add4->mul0[operand=1]; mul0->load2[operand=0]; load2->add3[operand=0]; add3->add3[operand=1];
add4->add4[operand=0]; const5->add4[operand=1]; add3->output6[operand=0];
add3->store7[operand=0]; mul0->store7[operand=1];
}"""
CGRAGEN = """digraph fir {
in0[opcode=input]; w[opcode=const value=2]; s[opcode=shra]; out[opcode=output approx=0.1];
in0->s[operand=0]; w->s[operand=1]; s->out[operand=0];
}"""
GENMAP = """digraph{
    # inputs
    "INPUT_0" [type=input]
    "op1" [type=op,opcode=SR]
    "op2" [type=op,opcode=MULT]
    "OUTPUT_0" [type=output]
    "16" [type=const,datatype=int,value=16]
    "16" -> "op1" [operand=1]
    "INPUT_0" -> "op1"
    "op1" -> "op2"
    "INPUT_0" -> "op2"
    "op2" -> "OUTPUT_0"
}"""
TRAM = """digraph t { node [fontcolor=white,style=filled];
IN_1 [opcode = INPUT ]; MUL_0 [opcode = MUL ]; ADD_1 [opcode = ADD ]; OUT_1 [opcode = OUTPUT ];
IN_1 -> MUL_0 [ name = 0 ]; MUL_0 -> ADD_1 [ name = 1 ]; IN_1 -> ADD_1 [ name = 2 ];
ADD_1 -> OUT_1 [ name = 3 ]; }"""
EXPRESS = (
    """digraph e { 1 [label = imp]; 2 [label = mul]; 3 [label = exp]; 1 -> 2 [name=1]; 2 -> 3; }"""
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            CGRA_ME,
            {
                "mul0": (Constant(4), Use("add4")),
                "load2": (Use("mul0"),),
                "add3": (Use("load2"), Use("add3", 1)),
                "add4": (Use("add4", 1), Constant(1)),
                "output6": (Use("add3"),),
                "store7": (Use("mul0"), Use("add3")),
            },
        ),
        (CGRAGEN, {"in0": (), "s": (Use("in0"), Constant(2)), "out": (Use("s"),)}),
        (
            GENMAP,
            {
                "INPUT_0": (),
                "op1": (Use("INPUT_0"), Constant(16)),
                "op2": (Use("op1"), Use("INPUT_0")),
                "OUTPUT_0": (Use("op2"),),
            },
        ),
        (
            TRAM,
            {
                "IN_1": (),
                "MUL_0": (Use("IN_1"), Constant(1)),
                "ADD_1": (Use("MUL_0"), Use("IN_1")),
                "OUT_1": (Use("ADD_1"),),
            },
        ),
        (EXPRESS, {"1": (), "2": (Use("1"), Constant(1)), "3": (Use("2"),)}),
    ],
    ids=["CGRA-ME", "CGRAgen", "GenMap", "TRAM", "ExPRESS"],
)
def test_files_of_other_projects(text, wanted):
    graph = parse_dot(text, "g")
    assert {name: node.operands for name, node in graph.nodes.items()} == wanted


def test_written_graphs_are_read_again(tmp_path):
    graph = Graph("a graph", loops=2, outer=True)
    graph.add(Node("x", Role.LOAD, access=Access("x", 3, (-1, 8), Element.BYTE_UNSIGNED)))
    graph.add(Node("c", Role.COMPUTE, Operation.LT, (Use("x"), Constant(-5))))
    graph.add(Node("s", Role.COMPUTE, Operation.SELECT, (Use("x"), Constant(2)), Use("c")))
    carried = (Use("s"), Use("sum", 2, 9))
    graph.add(Node("sum", Role.COMPUTE, Operation.ADD, carried, exit=True))
    graph.add(Node("g", Role.GATHER, operands=(Use("s"),), access=Access("t", 1)))
    graph.add(Node("p", Role.SCATTER, operands=(Use("s"), Use("g")), access=Access("o")))
    graph.add(
        Node(
            "y",
            Role.STORE,
            Operation.NOP,
            (Use("g"),),
            Use("c"),
            PredicateMode.IF_FALSE,
            access=Access("y", 0, (2, 4)),
        )
    )
    path = tmp_path / "a graph.dot"
    path.write_text(write_dot(graph))
    assert read_dot(path) == graph
