"""What public projects call operations, and where their operands go."""

from dataclasses import dataclass

from octopus.hw.layouts.instruction import Operation


@dataclass(frozen=True)
class Opcode:
    """An operation of a file as one of the PE's.

    ``swapped``: the operands change places. ``constant``: the second operand, where it has none.
    """

    operation: Operation
    swapped: bool = False
    constant: int | None = None


_NAMES = {
    Operation.PASS: "PASS MOV MOVE COPY CPY ROUTE BITCAST",
    Operation.ADD: "ADD PLUS GEP GETELEMENTPTR",
    Operation.SUB: "SUB MINUS",
    Operation.MUL: "MUL MULT MULTIPLY",
    Operation.MULH: "MULH",
    Operation.SHL: "SHL SL LS LSHIFT SHIFTL LSL",
    Operation.SHR: "SHR SR RS RSHIFT SHIFTR LSR LSHR SHRL SRL",
    Operation.SAR: "SAR SRA ARS ASHR SHRA ASR",
    Operation.AND: "AND",
    Operation.OR: "OR",
    Operation.XOR: "XOR",
    Operation.MIN: "MIN SMIN",
    Operation.MAX: "MAX SMAX",
    Operation.EQ: "EQ CMPEQ",
    Operation.NE: "NE CMPNE NEQ",
    Operation.LT: "LT SLT CLT",
    Operation.GE: "GE SGE CGE",
    Operation.LTU: "LTU ULT",
    Operation.GEU: "GEU UGE",
    Operation.SELECT: "SELECT SEL MUX",
    Operation.ABS: "ABS",
    Operation.RELU: "RELU",
    Operation.CLAMP8: "CLAMP8",
}
_SWAPPED = {
    "GT": Operation.LT,
    "SGT": Operation.LT,
    "CGT": Operation.LT,
    "LE": Operation.GE,
    "SLE": Operation.GE,
    "CLE": Operation.GE,
    "GTU": Operation.LTU,
    "UGT": Operation.LTU,
    "LEU": Operation.GEU,
    "ULE": Operation.GEU,
}
OPCODES = {
    **{name: Opcode(operation) for operation, names in _NAMES.items() for name in names.split()},
    **{name: Opcode(operation, swapped=True) for name, operation in _SWAPPED.items()},
    "NOT": Opcode(Operation.XOR, constant=0xFFFFFFFF),
}
"""By the name in capital letters. ``SHR`` moves zeros in, as the PE's; ``NOT`` is of every bit."""

_RELATIONS = "EQ NE SLT SGE SGT SLE ULT UGE UGT ULE LT GE GT LE"
RELATIONS = frozenset(_RELATIONS.split())
"""What a comparison of LLVM (``icmp``) may name as its predicate."""

COMPARISONS = frozenset({"ICMP", "CMP"})
LOADS = frozenset({"INPUT", "IN", "IMP", "LOAD", "LD", "LOD"})
STORES = frozenset({"OUTPUT", "OUT", "EXP", "STORE", "ST", "STR"})
CONSTANTS = frozenset({"CONST", "CONSTANT", "CST"})

KNOWN = frozenset(OPCODES) | COMPARISONS | LOADS | STORES | CONSTANTS | {"GATHER", "SCATTER", "PHI"}
"""What a node's label may say where no node of the file has an opcode."""

POSITIONS = {
    "load": ("address",),
    "store": ("value", "address"),
    "gather": ("address",),
    "scatter": ("address", "value"),
    "select": ("condition", "a", "b"),
    "phi": ("initial", "carried"),
    "unary": ("a",),
    "binary": ("a", "b"),
}
"""The operands of a kind of node, in the order of ``operand=0``, ``operand=1`` ..."""

OPERAND_NAMES = {
    "a": "A LHS LEFT I1 OP0 TRUE",
    "b": "B RHS RIGHT I2 OP1 FALSE",
    "address": "ADDRESS ADDR OFFSET INDEX",
    "value": "VALUE DATA",
    "condition": "CONDITION COND C",
    "initial": "INITIAL INIT",
    "carried": "CARRIED LOOP BACK",
    "predicate": "PREDICATE PRED P",
}
OPERANDS = {name: operand for operand, names in OPERAND_NAMES.items() for name in names.split()}
"""What ``operand=`` may say beside a number."""

_DRAWING = """
    area arrowhead arrowsize arrowtail bgcolor center charset class color colorscheme comment
    compound concentrate constraint decorate dir distortion edgehref edgetarget edgetooltip
    edgeurl fillcolor fixedsize fontcolor fontname fontpath fontsize forcelabels gradientangle
    group headclip headhref headlabel headport headtarget headtooltip headurl height href id
    image imagepos imagescale k label label_scheme labelangle labeldistance labelfloat
    labelfontcolor labelfontname labelfontsize labelhref labeljust labelloc labeltarget
    labeltooltip labelurl landscape layer layers len lhead lp ltail margin minlen mode mclimit
    model name newrank nodesep nojustify nslimit nslimit1 normalize ordering orientation
    outputorder overlap pack packmode pad page pagedir pencolor penwidth peripheries pin pos
    quantum rank rankdir ranksep ratio rects regular remincross root rotate samehead samepoint
    sametail samplepoints sep shape shapefile showboxes sides size skew sortv splines start
    style stylesheet tailclip tailhref taillabel tailport tailtarget tailtooltip tailurl target
    tooltip truecolor url vertices viewport voro_margin weight width xdotversion xlabel xlp z
"""
DRAWING = frozenset(_DRAWING.split())
"""Attributes of drawings, which say nothing about the computation; ``name`` only numbers edges."""
