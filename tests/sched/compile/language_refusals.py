"""Bodies of kernel functions that are refused, by the sentence of the document they belong to."""

from dataclasses import dataclass

from .language_cases import HEAD


@dataclass(frozen=True)
class Refused:
    """A body that is refused, in ``line`` of it (from 1; 0: no line is asked for)."""

    body: str
    reason: str
    line: int = 1
    head: str = HEAD


def no_value(expression, reason):
    """A loop over ``n`` that stores an expression."""
    return Refused(f"for i in range(n):\n    y[i] = {expression}", reason, 2)


REFUSED = {
    "second loops": [
        Refused("for i in range(n): y[i] = 1\nfor i in range(n): y[i] = 2", "second loop", 2),
        Refused(
            "if K > 1:\n    pass\nfor k in range(2):\n    for i in range(n): y[i] = k",
            "unrolled",
            4,
        ),
    ],
    "rows": [
        Refused(
            """
            best = 0
            for i in range(m):
                t = 0
                for j in range(n):
                    t += x[i * n + j]
                best = max(best, t)
                y[i] = best
            """,
            "best goes from one iteration of an outer loop",
            6,
        ),
        Refused(
            """
            count = 0
            for i in range(m):
                count = count * 2 + 1
                for j in range(n):
                    y[i * n + j] = count
            """,
            "count goes from one iteration",
            3,
        ),
        Refused(
            """
            total = 0
            for i in range(m):
                row = 0
                for j in range(n):
                    row += x[i * n + j]
                    total += row
                y[i] = total
            """,
            "row begins anew .* while total goes on",
            4,
        ),
    ],
    "outer values": [
        Refused(
            "for i in range(m):\n    for j in range(n):\n        y[i * n + j] = i",
            "used as a value",
            3,
        ),
        Refused(
            "for i in range(m):\n    for j in range(n):\n        y[i] = j\n        if x[j]: break",
            "break or return",
            2,
        ),
        Refused(
            """
            for i in range(m):
                t = 0
                for j in range(n):
                    t += x[j]
                if t > 5: y[i] = t
            """,
            "depends on an inner loop",
            5,
        ),
    ],
    "memory": [
        Refused("for i in range(n): y[i] += x[i]", "output: it cannot be read"),
        Refused("for i in range(n): x[i] = 1", "input: it cannot be written"),
        Refused("for i in range(n): y[i] = x[i, 1]", "one index at a time"),
        Refused("for i in range(n): y[i] = sum(x[i:3])", "bounds of a slice"),
        Refused("for i in range(n): y[i] = len(x)", "length is not known"),
        Refused("for i in range(n):\n    for v in x: y[i] = v", "its length is not known", 2),
    ],
    "order": [
        Refused(
            "for i in range(n):\n    y[i] = 1\n    y[x[i] & 7] = 2", "does not keep their order", 3
        ),
        Refused(
            "for i in range(n):\n    if x[i]: y.append(1)\n    if z[i]: y.append(2)",
            "in the same iteration",
            3,
        ),
        Refused(
            "for i in range(n):\n    y[i] = 1\n    y.append(2)", "both appended to and assigned", 3
        ),
    ],
    "fractions": [
        no_value("x[i] // 0", "divisor is 0"),
        no_value("x[i] % z[i]", "no constant"),
        no_value("2 ** x[i]", "exponent"),
        no_value("x[i] / 2", "Div"),
        no_value("x[i] * 0.5", "0.5 is no integer"),
        no_value("'a'", "type str"),
    ],
    "signs": [
        no_value("x[i] < 0x80000000", "2147483648 is no int32"),
        no_value("min(x[i], 1 << 31)", "no int32"),
        no_value("(K << 40) >> 38", "no int32"),
    ],
    "negative": [
        no_value("x[-1]", "index below 0"),
        no_value("x[i] << -1", "shift by"),
        no_value("1 << (K - 4)", "negative shift count"),
    ],
    "lists": [
        Refused(
            "a = []\nfor i in range(n):\n    if x[i]: a.append(1)\n    y[i] = len(a)", "length", 3
        ),
        Refused("a = []\nfor i in range(n):\n    a.append(x[i])\n    y[i] = a[0]", "length", 2),
        Refused(
            "a = [1, 2]\nfor i in range(n):\n    a[x[i] & 1] = 3\n    y[i] = a[0]",
            "must be known",
            3,
        ),
    ],
    "unbound": [
        Refused("for i in range(n):\n    if x[i]: a = 1\n    y[i] = a", "may have no value", 3),
        Refused("for i in range(n):\n    y[i] = a\n    a = 1", "before it has a value", 2),
        Refused("for i in range(n): y[i] = nothing", "not known here"),
    ],
    "statements": [
        Refused("i = 0\nwhile i < n:\n    y[i] = 1\n    i += 1", "While", 2),
        Refused("def g(a): return a\nfor i in range(n): y[i] = g(x[i])", "FunctionDef"),
        Refused("for i in range(n): y[i] = (lambda a: a)(x[i])", "Lambda"),
        Refused("try: pass\nexcept ValueError: pass\nfor i in range(n): y[i] = 1", "Try"),
        Refused("for i in range(n):\n    assert x[i]\n    y[i] = 1", "Assert", 2),
        Refused("for i in range(n):\n    print(i)\n    y[i] = 1", "print", 2),
        Refused("global G\nG = 1\nfor i in range(n): y[i] = G", "Global"),
        Refused("for i in range(n): y[i] = sorted([x[i], 1])[0]", "sorted"),
    ],
    "outside": [
        Refused(
            "for i in range(n):\n    LIST.append(i)\n    y[i] = 1",
            "from outside",
            2,
            "LIST = []\n" + HEAD,
        ),
        Refused("for i in range(n): y[i] = 1\nreturn 3", "returns nothing", 2),
    ],
    "bounds": [
        Refused("for i in range(n): y[i + 11] = x[i]", r"y\[15\]"),
        Refused("for i in range(n): y[i] = x[i - 1]", r"x\[-1\]"),
        Refused("for i in range(n): y[i] = x[3 * i + 3]", r"x\[15\]"),
    ],
}
