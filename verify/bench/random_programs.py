"""Random kernel functions as text: what people write, and much that they should not.

All chance comes from one :class:`random.Random`, so that hypothesis can shrink a program as well as
a seed replay it.
"""

from dataclasses import dataclass, field
from random import Random

CONSTANTS = [0, 1, 2, 3, 5, 7, 8, 31, 255, -1, -2, -128, 65536, (1 << 31) - 1, -(1 << 31)]
WIDE = [1 << 31, (1 << 32) - 1, 1 << 32, -(1 << 31) - 1, 1 << 40]
HELPERS = ["relu({})", "clamp8({})", "abs({})", "-{}", "~{}", "int({})", "bool({})"]
PAIRS = ["min({}, {})", "max({}, {})", "mulh({}, {})", "ltu({}, {})", "geu({}, {})"]
OPERATORS = ["+", "-", "*", "&", "|", "^"]
COMPARISONS = ["<", "<=", ">", ">=", "==", "!="]
HEADS = ["range(n)"] * 6 + ["range(0, n)", "range(1, n)", "range(n - 1, -1, -1)"]
HEADS += ["range(0, n, 2)", "reversed(range(n))", "range(n - 1)"]
PARTIAL = ("range(1, n)", "range(0, n, 2)", "range(n - 1)")
"""Heads whose loops leave parts of what they store to alone."""

SPACE = "    "


@dataclass
class Program:
    """A random kernel function.

    Attributes
    ----------
    text: its source; its name is ``program``. inputs: names and dtypes. outputs: names.
    counts, constants: values by parameter. started: outputs that begin as an input.
    sizes: elements of every array.
    """

    text: str
    inputs: dict[str, str]
    outputs: list[str]
    counts: dict[str, int]
    constants: dict[str, object]
    started: set[str]
    sizes: dict[str, int]


@dataclass
class _Scope:
    """What may be used at a place: scalars, lists with their lengths, loop variables."""

    scalars: list[str] = field(default_factory=list)
    lists: dict[str, int] = field(default_factory=dict)
    loops: list[str] = field(default_factory=list)
    unrolled: int = 0

    def copy(self) -> "_Scope":
        """The same for statements within."""
        return _Scope(list(self.scalars), dict(self.lists), list(self.loops), self.unrolled)


class ProgramMaker:
    """Draws one program.

    Parameters
    ----------
    source: of all chance. size: about how many statements. length: of the innermost loop.
    """

    def __init__(self, source: Random, size: int = 4, length: int = 5) -> None:
        self.random = source
        self.lines: list[str] = []
        self.inputs = {"x": "int32", "z": source.choice(["int32", "int32", "int8"])}
        self.nest = source.choice([1, 1, 1, 1, 2, 2, 3])
        self.length, self.room = length, size
        self.appended = self.nest == 1 and source.random() < 0.25
        self.whole = True
        self.stored: set[str] = set()

    def chance(self, probability: float) -> bool:
        """True as often as ``probability`` says."""
        return self.random.random() < probability

    def make(self) -> Program:
        """The program."""
        counts = {"n": self.length}
        counts |= {name: self.random.randint(1, 3) for name in ("m", "l")[: self.nest - 1]}
        constants: dict[str, object] = {"K": self.number(), "taps": [3, -5, 7]}
        scope = _Scope()
        self.start(scope)
        self.nested(scope, list(counts)[::-1], SPACE)
        self.after(scope)
        parameters = [f"{name}: Input({kind!r})" for name, kind in self.inputs.items()]
        outputs = ["y", *(["w"] if self.appended or "w" in self.stored else [])]
        parameters += [f"{name}: Output()" for name in outputs]
        parameters += [f"{name}: Count" for name in counts]
        head = ["@kernel", f"def program({', '.join(parameters)}, K, taps):"]
        text = "\n".join([*head, *self.lines]) + "\n"
        started = {name for name in outputs if name == "w" or not self.whole or self.chance(0.5)}
        words = max(2 * self.length, 8) + 4
        for count in ("m", "l"):
            words *= counts.get(count, 1)
        sizes = dict.fromkeys((*self.inputs, *outputs), words)
        if "y" not in started:
            sizes["y"] = self.exact(counts)
        return Program(text, self.inputs, outputs, counts, constants, started, sizes)

    def exact(self, counts: dict[str, int]) -> int:
        """Elements of ``y`` that the plain store of all iterations fills."""
        product = 1
        for count in counts.values():
            product *= count
        return product

    def line(self, text: str, indent: str) -> None:
        """Write a line."""
        self.lines.append(indent + text)

    # -- the frame -------------------------------------------------------------------------

    def start(self, scope: _Scope) -> None:
        """Variables that live through the loops."""
        for number in range(self.random.randint(0, 3)):
            name = f"s{number}"
            value = str(self.number()) if self.chance(0.85) else "x[0]"
            self.line(f"{name} = {value}", SPACE)
            scope.scalars.append(name)
        if self.chance(0.25):
            length = self.random.randint(1, 3)
            self.line(f"d = [{', '.join(str(self.number()) for _ in range(length))}]", SPACE)
            scope.lists["d"] = length

    def nested(self, scope: _Scope, counts: list[str], indent: str) -> None:
        """The loops, outermost first."""
        count, *others = counts
        variable = "ijk"[len(scope.loops)] if len(scope.loops) < 3 else "q"
        head = f"range({count})"
        if count == "n" and self.nest == 1:
            head = self.random.choice(HEADS)
            self.whole = head not in PARTIAL
        self.line(f"for {variable} in {head}:", indent)
        inner = scope.copy()
        inner.loops.append(variable)
        deeper = indent + SPACE
        if not others:
            self.body(inner, deeper)
        else:
            for name in list(scope.scalars):
                if self.chance(0.6):
                    value = str(self.number()) if self.chance(0.8) else f"x[{variable}]"
                    self.line(f"{name} = {value}", deeper)
            if self.chance(0.2):
                self.statement(inner, deeper, 1)
            self.nested(inner, others, deeper)
            if self.chance(0.5) and "w" not in self.stored:
                self.line(f"w[{variable}] = {self.value(inner, 1)}", deeper)
                self.stored.add("w")
            elif self.chance(0.2):
                self.statement(inner, deeper, 1)
        scope.scalars = [name for name in inner.scalars if name in scope.scalars]

    def body(self, scope: _Scope, indent: str) -> None:
        """The innermost loop."""
        for _ in range(self.random.randint(1, self.room)):
            self.statement(scope, indent, 2)
        place = scope.loops[0]
        inner = ("m", "n")[-self.nest + 1 :] if self.nest > 1 else ()
        for variable, count in zip(scope.loops[1:], inner, strict=True):
            place = f"({place}) * {count} + {variable}"
        if self.nest == 1 and self.chance(0.15):
            place = self.random.choice(["n - 1 - i", "2 * i", "i + 1", "i - 1"])
            self.whole = False
        self.line(f"y[{place}] = {self.value(scope, 2)}", indent)
        if self.appended and "w" not in self.stored:
            self.append(scope, indent)
        if self.nest == 1 and self.chance(0.08):
            self.line(f"if {self.condition(scope, 1)}:", indent)
            self.line("break", indent + SPACE)
            self.whole = False
        if self.chance(0.2):
            self.statement(scope, indent, 1)

    def append(self, scope: _Scope, indent: str) -> None:
        """Appends of one value or several."""
        if self.chance(0.6):
            self.line(f"if {self.condition(scope, 1)}:", indent)
            self.line(f"w.append({self.value(scope, 1)})", indent + SPACE)
            if self.chance(0.5):
                self.line("else:", indent)
                self.line(f"w.append({self.value(scope, 1)})", indent + SPACE)
            return
        for _ in range(self.random.randint(1, 2)):
            self.line(f"w.append({self.value(scope, 1)})", indent)

    def after(self, scope: _Scope) -> None:
        """What follows the loops."""
        if self.chance(0.15) and scope.scalars and "w" not in self.stored and not self.appended:
            self.line(f"w[0] = {self.value(scope, 1)}", SPACE)
            self.stored.add("w")
        if self.chance(0.03):
            self.line("for i in range(n):", SPACE)
            self.line("y[i] = x[i]", SPACE * 2)

    # -- statements ------------------------------------------------------------------------

    def statement(self, scope: _Scope, indent: str, depth: int) -> None:
        """One statement, with what is within."""
        forms = [self.assign, self.assign, self.assign, self.augment, self.augment]
        if scope.lists:
            forms.append(self.on_list)
        if depth:
            forms += [self.branch, self.branch, self.unrolled]
        if depth == 2 and self.chance(0.1):
            forms = [self.odd]
        self.random.choice(forms)(scope, indent, depth)

    def assign(self, scope: _Scope, indent: str, depth: int) -> None:
        """An assignment, of a new variable or an old one, or a swap."""
        if len(scope.scalars) > 1 and self.chance(0.15):
            first, second = self.random.sample(scope.scalars, 2)
            self.line(f"{first}, {second} = {second}, {self.value(scope, 1)}", indent)
            return
        if scope.scalars and self.chance(0.6):
            name = self.random.choice(scope.scalars)
        else:
            name = self.random.choice(["a", "b", "c"])
        self.line(f"{name} = {self.value(scope, 2)}", indent)
        if name not in scope.scalars:
            scope.scalars.append(name)

    def augment(self, scope: _Scope, indent: str, depth: int) -> None:
        """An augmented assignment."""
        if not scope.scalars:
            self.assign(scope, indent, depth)
            return
        name = self.random.choice(scope.scalars)
        value = "1" if self.chance(0.3) else self.value(scope, 1)
        self.line(f"{name} {self.random.choice(OPERATORS)}= {value}", indent)

    def on_list(self, scope: _Scope, indent: str, depth: int) -> None:
        """A list that changes: a delay line, an element."""
        name, length = self.random.choice(list(scope.lists.items()))
        value = self.value(scope, 1)
        element = f"{name}[{self.random.randrange(length)}]"
        forms = [
            f"{name} = [{value}] + {name}[:-1]",
            f"{name}.insert(0, {value}); {name}.pop()",
            f"{element} = {value}",
            f"{element} += {value}",
            f"{name}[0], {name}[-1] = {name}[-1], {value}",
        ]
        self.line(self.random.choice(forms), indent)

    def branch(self, scope: _Scope, indent: str, depth: int) -> None:
        """if, elif, else."""
        self.line(f"if {self.condition(scope, 2)}:", indent)
        inner = scope.copy()
        self.statement(inner, indent + SPACE, depth - 1)
        if self.nest == 1 and not scope.unrolled and self.chance(0.06):
            self.line(self.random.choice(["break", "continue"]), indent + SPACE)
            self.whole = False
        if self.chance(0.2):
            self.line(f"elif {self.condition(scope, 1)}:", indent)
            self.statement(scope.copy(), indent + SPACE, depth - 1)
        if self.chance(0.4):
            self.line("else:", indent)
            self.statement(scope.copy(), indent + SPACE, depth - 1)

    def unrolled(self, scope: _Scope, indent: str, depth: int) -> None:
        """A loop over what is known."""
        variable = "uv"[min(scope.unrolled, 1)]
        over = self.random.choice(["range(2)", "range(3)", "taps", "(1, -2)", "range(3, 0, -1)"])
        self.line(f"for {variable} in {over}:", indent)
        inner = scope.copy()
        inner.unrolled += 1
        inner.scalars.append(variable)
        self.statement(inner, indent + SPACE, depth - 1)
        if self.chance(0.3):
            self.line(f"if {self.condition(inner, 1)}:", indent + SPACE)
            self.line(self.random.choice(["break", "continue"]), indent + SPACE * 2)
            self.statement(inner, indent + SPACE, 0)
        if self.chance(0.15):
            self.line("else:", indent)
            self.statement(scope.copy(), indent + SPACE, 0)

    def odd(self, scope: _Scope, indent: str, depth: int) -> None:
        """What is refused, or nearly."""
        forms = [
            "y[i] += 1",
            f"w[{self.value(scope, 1)}] = 1",
            f"y[i] = {self.value(scope, 1)}",
            f"if {self.condition(scope, 1)}: y[i] = {self.value(scope, 1)}",
            f"a = x[{self.value(scope, 1)}]",
            f"a = {self.value(scope, 1)} / 2",
            f"a = {self.value(scope, 1)} * {self.random.choice(WIDE)}",
            f"a = {self.value(scope, 1)} < {self.random.choice(WIDE)}",
            "while i < 0: i += 1",
            "a = unknown",
        ]
        text = self.random.choice(forms)
        if self.appended and text.startswith("w["):
            text = "pass"
        if text.startswith("w["):
            text = text.replace("w[", "w[7 & ").replace("] = 1", "] = 1")
            self.stored.add("w")
        self.line(text, indent)

    # -- expressions -----------------------------------------------------------------------

    def number(self) -> int:
        """A constant."""
        return self.random.choice(CONSTANTS) if self.chance(0.7) else self.random.randint(-99, 99)

    def element(self, scope: _Scope) -> str:
        """An element of an input."""
        name = self.random.choice(list(self.inputs))
        if not scope.loops:
            return f"{name}[{self.random.randint(0, 3)}]"
        if self.chance(0.1) and scope.scalars:
            return f"{name}[{self.random.choice(scope.scalars)} & 7]"
        loop = self.random.choice(scope.loops)
        if self.nest > 1 and len(scope.loops) == self.nest and self.chance(0.4):
            outer, inner = scope.loops[-2:]
            return f"{name}[{outer} * n + {inner}]"
        forms = [loop] * 5 + [f"{loop} + {self.random.randint(1, 3)}", f"2 * {loop}", "0"]
        if self.nest == 1:
            forms += ["n - 1 - i", "n - i"]
        return f"{name}[{self.random.choice(forms)}]"

    def atom(self, scope: _Scope) -> str:
        """A variable, element or constant."""
        forms = [lambda: self.element(scope)] * 3
        if scope.scalars:
            forms += [lambda: self.random.choice(scope.scalars)] * 4
        if scope.lists:
            name, length = self.random.choice(list(scope.lists.items()))
            forms.append(lambda: f"{name}[{self.random.randrange(length)}]")
        if scope.loops and self.chance(0.5):
            forms.append(lambda: scope.loops[-1])
        forms.append(lambda: str(self.number()))
        if self.chance(0.1):
            forms = [lambda: "K", lambda: "taps[1]", lambda: "len(taps)", lambda: "n"]
        return self.random.choice(forms)()

    def value(self, scope: _Scope, depth: int) -> str:
        """An expression."""
        if depth <= 0 or self.chance(0.25):
            return self.atom(scope)
        low = depth - 1
        left, right = self.value(scope, low), self.value(scope, low)
        forms = [f"({left} {self.random.choice(OPERATORS)} {right})"] * 6
        forms += [self.random.choice(PAIRS).format(left, right)]
        forms += [self.random.choice(HELPERS).format(f"({left})")]
        forms += [f"({left} {self.random.choice(['<<', '>>'])} {self.random.randint(0, 40)})"]
        forms += [f"({left} {self.random.choice(['<<', '>>'])} ({right} & 31))"]
        divisor = self.random.choice([2, 4, 8, 3, 10, -2, -3, 1, 0 if self.chance(0.1) else 7])
        forms += [f"({left} {self.random.choice(['//', '%'])} {divisor})"]
        forms += [f"({left} if {self.condition(scope, low)} else {right})"] * 2
        forms += [f"({left} {self.random.choice(['and', 'or'])} {right})"]
        forms += [f"({self.condition(scope, low)})"]
        forms += [f"({left}) ** {self.random.randint(0, 3)}"]
        forms += [f"sum(({left}) * q for q in taps)", f"select({left}, {right}, 1)"]
        if self.chance(0.05):
            return f"(e := {left}) + e"
        return self.random.choice(forms)

    def condition(self, scope: _Scope, depth: int) -> str:
        """A condition."""
        low = depth - 1
        left, right = self.value(scope, low), self.value(scope, low)
        forms = [f"{left} {self.random.choice(COMPARISONS)} {right}"] * 4
        forms += [left, f"not {left}", f"{left} in (1, 2, {self.number()})"]
        third = self.atom(scope)
        first, second = (self.random.choice(COMPARISONS) for _ in range(2))
        forms += [f"{left} {first} {third} {second} {right}"]
        if depth > 0:
            one, other = self.condition(scope, low), self.condition(scope, low)
            forms += [f"({one}) {self.random.choice(['and', 'or'])} ({other})"] * 2
            forms += [f"not ({one})", f"any([{one}, {other}])", f"all([{one}, {other}])"]
        return self.random.choice(forms)
