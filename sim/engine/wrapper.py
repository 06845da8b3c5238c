"""The C++ that makes a Verilated part known to the engine, written from the generated header.

The engine calls the phases of Verilator's evaluation itself: ``ico``, which follows changed inputs,
and ``nba``, which is a rising clock edge. Both are there in the generated code; how they are
triggered is checked here, for other code needs another call.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from .partition import Part

LARGE_MEMORY_BYTES = 512
"""Memories from this size on are left out when a part's state is compared, if that is sound."""

_PORT = re.compile(r"^\s*VL_(?:IN|OUT)(?:8|16|64|W)?\((\w+),\d+,\d+(?:,\d+)?\);", re.MULTILINE)
_MEMBER = re.compile(
    r"^\s*((?:CData|SData|IData|QData|VlWide<\d+>|VlUnpacked<.*>))(?:/\*(\d+):0\*/)? (\w+);$",
    re.MULTILINE,
)
_POINTERS = re.compile(r"^    \w+__Syms\* vlSymsp;$", re.MULTILINE)
_SAFE_LINE = re.compile(
    r"^\s*(?:VL_(?:IN|OUT)|CData|SData|IData|QData|VlWide<|VlUnpacked<|struct \{|\};|//|public:|$)"
)


class WrapperError(RuntimeError):
    """Verilator's code has not the form that the engine relies on; the message says where."""


def wrapper(part: Part, prefix: str, folder: Path) -> str:
    """The C++ source of ``part``, which Verilator translated into ``folder`` with ``prefix``.

    Raises:
        WrapperError: see there.
    """
    root = f"{prefix}___024root"
    header = (folder / f"{root}.h").read_text(encoding="utf-8")
    state = _state_of(header, root)
    fast = sorted(p for p in folder.glob(f"{root}__*.cpp") if not p.stem.endswith("Slow"))
    rest = sorted(p for p in folder.glob("*.cpp") if p not in fast)
    code = "".join(path.read_text(encoding="utf-8") for path in fast)
    names = set(_PORT.findall(state))
    ports = [_cpp_name(port.name, names, part.name) for port in part.ports]
    followed = _followed(code, root)
    includes = "".join(f'#include "{path.name}"\n' for path in [*fast, *rest])
    return _WRAPPER.format(
        prefix=prefix,
        root=root,
        name=part.name,
        includes=f'#include "{prefix}.h"\n#include "{prefix}__Syms.h"\n{includes}',
        ports="\n".join(
            f'    {{"{port.name}", offsetof(Root, {name}), sizeof(Root::{name}), {port.width}, '
            f"{int(port.is_input)}, {int(name in followed)}}},"
            for port, name in zip(part.ports, ports, strict=True)
        ),
        ranges=_ranges(part, state),
        proofs=1 if part.reads_at_once else 2,
        has_state="true" if _has_edge(code, root) else "false",
        variables=_variables(state, part.name),
        shadow="\n".join(
            f"    decltype(Root::{name}) {name};"
            for port, name in zip(part.ports, ports, strict=True)
            if not port.is_input
        ),
        changed="\n".join(
            f"    OCTOPUS_COMPARE({name}, {index})"
            for index, (port, name) in enumerate(zip(part.ports, ports, strict=True))
            if not port.is_input
        ),
        follow=_follow(code, root),
        edge=_edge(code, root),
        start=_start(code, root, names),
    )


def _state_of(header: str, root: str) -> str:
    """The declarations of the state: everything in it can be compared and copied as bytes."""
    start = re.search(rf"^class .*{root} final \{{$", header, re.MULTILINE)
    end = _POINTERS.search(header)
    if start is None or end is None:
        raise WrapperError(f"{root}: its header has no state before the pointers")
    state = header[start.end() : end.start()]
    for line in state.splitlines():
        if not _SAFE_LINE.match(line):
            raise WrapperError(f"{root}: state of an unknown kind: {line.strip()}")
    return state


def _cpp_name(port: str, names: set[str], part: str) -> str:
    """Verilator's name of a port."""
    for name in (port, port.replace("__", "___05F"), f"__SYM__{port}"):
        if name in names:
            return name
    raise WrapperError(f"{part}: Verilator's code has no port {port}")


def _has_edge(code: str, root: str) -> bool:
    return f"void {root}___eval_nba(" in code


def _triggers(code: str, root: str, region: str) -> str:
    """The body of the function that finds out what triggers a region."""
    match = re.search(
        rf"^void {root}___eval_triggers_vec__{region}\(.*?\n    // Body\n(.*?)^}}",
        code,
        re.MULTILINE | re.DOTALL,
    )
    if match is None:
        raise WrapperError(f"{root}: nothing tells what triggers {region}")
    return re.sub(r"\s+", "", match[1])


def _follow(code: str, root: str) -> str:
    if f"void {root}___eval_ico(" not in code:
        return ""
    triggers = _triggers(code, root, "ico")
    if not re.search(r"__VicoFirstIteration", triggers) or triggers.count("__VicoTriggered[") > 2:
        raise WrapperError(f"{root}: inputs are followed on other conditions: {triggers}")
    return f"{root}___eval_ico(static_cast<Root*>(state));"


def _followed(code: str, root: str) -> set[str]:
    """The members that the code which follows inputs mentions, in any function it calls."""
    bodies = {
        match[1]: match[2]
        for match in re.finditer(
            rf"^[^\s#/].*?\b({root}___\w+)\([^;{{]*\) \{{$(.*?)^\}}", code, re.MULTILINE | re.DOTALL
        )
    }
    members: set[str] = set()
    waiting, done = [f"{root}___eval_ico"], set()
    while waiting:
        name = waiting.pop()
        if name not in done and name in bodies:
            done.add(name)
            members |= set(re.findall(r"vlSelfRef\.(\w+)", bodies[name]))
            waiting += re.findall(rf"\b({root}___\w+)\(", bodies[name])
    return members


def _edge(code: str, root: str) -> str:
    if not _has_edge(code, root):
        return ""
    triggers = _triggers(code, root, "act")
    expected = (
        r"vlSelfRef\.__VactTriggered\[0U\]=\(QData\)\(\(IData\)\(\(\(IData\)\(vlSelfRef\.clk\)"
        r"&\(~\(IData\)\(vlSelfRef\.__Vtrigprevexpr___TOP__clk__0\)\)\)\)\);"
        r"vlSelfRef\.__Vtrigprevexpr___TOP__clk__0=vlSelfRef\.clk;"
    )
    if not re.fullmatch(expected, triggers):
        raise WrapperError(f"{root}: other triggers than a rising clock: {triggers}")
    return f"{root}___eval_nba(static_cast<Root*>(state));"


def _start(code: str, root: str, names: set[str]) -> str:
    """Set the triggers once and for all: only the phases that are wanted are called."""
    lines = []
    if f"void {root}___eval_ico(" in code:
        lines.append("top->__VicoTriggered[0U] = 1;")
    if _has_edge(code, root):
        lines.append("top->__VnbaTriggered[0U] = 1;")
    return "\n    ".join(lines)


def _ranges(part: Part, state: str) -> str:
    """What must stay the same for the part to rest: the state without large memories.

    A memory that is only read at clock edges may be left out: if everything else is unchanged over
    two edges, the same word has been written to the same place twice.
    """
    left_out = []
    if not part.reads_at_once:
        left_out = [name for kind, _, name in _MEMBER.findall(state) if kind.startswith("VlUnp")]
    return " ".join(f"OCTOPUS_LEAVE_OUT({name})" for name in left_out)


def _variables(state: str, module: str) -> str:
    """Registers and nets inside, for recording: (hierarchical name, place, width)."""
    rows = []
    for kind, high, name in _MEMBER.findall(state):
        if kind.startswith("VlUnpacked") or not high or "__DOT__" not in name:
            continue
        shown = _shown(name, module)
        if shown is not None:
            rows.append(f'    {{"{shown}", offsetof(Root, {name}), {int(high) + 1}}},')
    return "\n".join(rows)


def _shown(name: str, module: str) -> str | None:
    """The name in the source, or None of a variable that is Verilator's or Yosys's own."""
    scopes = name.split("__DOT__")[1:]
    words = [
        re.sub(r"__0([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), scope.replace("___05F", "__"))
        for scope in scopes
    ]
    if any(word.startswith(("$", "_$", "__V", "\\$")) or not word for word in words):
        return None
    return ".".join(words)


def register(parts: Iterable[str]) -> str:
    """C++ with the list of all parts, in the order of the tables."""
    names = list(parts)
    declared = "".join(f"extern const octopus::Part {name};\n" for name in names)
    listed = "".join(f"    &{name},\n" for name in names)
    return (
        f'#include "part.hpp"\n{declared}'
        f"extern const octopus::Part* const octopus_parts[] = {{\n{listed}}};\n"
    )


_WRAPPER = """\
// {name}
{includes}
#include <cstring>

#include "part.hpp"

namespace {{
using Root = {root};

constexpr octopus::Port kPorts[] = {{
{ports}
    {{nullptr, 0, 0, 0, 0, 0}},
}};

constexpr octopus::Variable kVariables[] = {{
{variables}
    {{nullptr, 0, 0}},
}};

// Ranges of the state between what is left out.
struct Ranges {{
    octopus::Range list[64] = {{}};
    uint32_t count = 0;
    uint32_t next = 0;
    void leave_out(uint32_t first, uint32_t bytes) {{
        if (bytes < {large} || count == 63) return;
        if (first > next) list[count++] = {{next, first - next}};
        next = first + bytes;
    }}
    Ranges() {{
#define OCTOPUS_LEAVE_OUT(name) leave_out(offsetof(Root, name), sizeof(Root::name));
        {ranges}
        if (offsetof(Root, vlSymsp) > next)
            list[count++] = {{next, static_cast<uint32_t>(offsetof(Root, vlSymsp)) - next}};
    }}
}};
const Ranges kRanges;

struct Shadow {{
{shadow}
}};

template <typename Value>
inline bool differs(const Value& now, const Value& before) {{
    return now != before;
}}
template <std::size_t Words>
inline bool differs(const VlWide<Words>& now, const VlWide<Words>& before) {{
    return std::memcmp(&now, &before, sizeof now) != 0;
}}

#define OCTOPUS_COMPARE(name, index)          \\
    if (differs(top.name, before.name)) {{     \\
        before.name = top.name;               \\
        *next++ = index;                      \\
    }}

uint32_t changed(void* state, void* shadow, uint16_t* ports) {{
    [[maybe_unused]] Root& top = *static_cast<Root*>(state);
    [[maybe_unused]] Shadow& before = *static_cast<Shadow*>(shadow);
    uint16_t* next = ports;
{changed}
    return static_cast<uint32_t>(next - ports);
}}

void follow([[maybe_unused]] void* state) {{
    {follow}
}}

void edge([[maybe_unused]] void* state) {{
    {edge}
}}

void* create(VerilatedContext* context, void** state) {{
    auto* model = new {prefix}(context, "");
    model->eval();
    [[maybe_unused]] Root* top = model->rootp;
    {start}
    *state = top;
    return model;
}}

void destroy(void* model) {{
    static_cast<{prefix}*>(model)->final();
    delete static_cast<{prefix}*>(model);
}}

}}  // namespace

extern const octopus::Part {prefix}_part = {{
    "{name}",
    offsetof(Root, vlSymsp),
    sizeof(Shadow),
    sizeof kPorts / sizeof *kPorts - 1,
    kPorts,
    kRanges.count,
    kRanges.list,
    {proofs},
    {has_state},
    sizeof kVariables / sizeof *kVariables - 1,
    kVariables,
    create,
    destroy,
    follow,
    edge,
    changed,
}};
""".replace("{large}", str(LARGE_MEMORY_BYTES))
