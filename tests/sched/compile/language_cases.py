"""Bodies of kernel functions that are compiled, by the sentence of the document they belong to."""

from dataclasses import dataclass

HEAD = "@kernel\ndef program(x: Input(), z: Input(), y: Output(), n: Count, m: Count, K=3):\n"


@dataclass(frozen=True)
class Works:
    """A body that runs. ``gives``: elements of ``y`` from the first on, which begins as zeros;
    ``size``: of y."""

    body: str
    gives: tuple[int, ...] = ()
    size: int = 15
    head: str = HEAD


def value(expression, *gives):
    """A loop over ``n`` that stores an expression."""
    return Works(f"for i in range(n):\n    y[i] = {expression}", gives)


ACCEPTED = {
    "arrays": [
        Works("for i in range(n): y[i] = x[i]", (3, -1, 0, 7, 2)),
        Works(
            "for i in range(n): y[i] = x[i] * 3",
            (9, -3),
            head="@kernel\ndef program(x: Input, z: Input(), y: Output(), n: Count, m: Count):\n",
        ),
    ],
    "constants": [
        value("x[i] + K", 6, 2, 3, 10, 5),
    ],
    "loops": [
        Works("for i in range(0, n): y[i] = x[i]", (3, -1, 0, 7, 2, 0)),
        Works("for i in range(1, n): y[i] = x[i] + x[i - 1]", (0, 2, -1, 7, 9, 0)),
        Works("for i in range(n - 1, -1, -1): y[i] = i + x[i]", (3, 0, 2, 10, 6, 0)),
        Works("for i in range(0, n, 2): y[i] = x[i]", (3, 0, 0, 0, 2, 0)),
        Works("for i in reversed(range(n)): y.append(x[i])", (2, 7, 0, -1, 3), 5),
        Works("for i in range(n - 2): y[i] = n - i", (5, 4, 3, 0)),
    ],
    "nests": [
        Works(
            """
            for i in range(m):
                total = 0
                for j in range(n):
                    total += x[i * n + j]
                y[i] = total
            """,
            (11, 9, -1),
            3,
        ),
        Works(
            """
            for i in range(m):
                total = z[i]
                for j in range(n):
                    total += x[i * n + j]
                y.append(total)
            """,
            (12, 11, -1),
            3,
        ),
        Works(
            """
            k = 0
            for i in range(m):
                for j in range(n):
                    y[k] = x[k] + z[j]
                    k += 1
            """,
            (4, 1, 0, 3, 7, -4),
        ),
        Works(
            """
            best = 0
            for i in range(m):
                for j in range(n):
                    best = max(best, x[i * n + j])
            y[0] = best
            """,
            (9, 0),
        ),
    ],
    "unrolling": [
        value("sum(x[i + k] * t for k, t in enumerate((1, 2)))", 1, -1, 14, 11, -8),
        Works(
            """
            for i in range(n):
                where = -1
                for k in range(3):
                    if x[i + k] < 0:
                        where = k
                        break
                else:
                    where = 9
                y[i] = where
            """,
            (1, 0, 9, 2, 1),
        ),
        Works(
            """
            for i in range(n):
                total = 0
                for a in (x, z):
                    if a[i] < 0: continue
                    total += a[i]
                y[i] = total
            """,
            (4, 2, 0, 7, 7),
        ),
    ],
    "carrying": [
        Works(
            """
            a, b = 0, 1
            for i in range(n):
                a, b = b, a + b
                y[i] = a
            """,
            (1, 1, 2, 3, 5),
        ),
        Works(
            """
            line = [0, 0, 0]
            for i in range(n):
                y[i] = line[2]
                line = [x[i]] + line[:-1]
            """,
            (0, 0, 0, 3, -1),
        ),
        Works(
            """
            line = [7, 8]
            for i in range(n):
                line.insert(0, x[i])
                y[i] = line.pop()
            """,
            (8, 7, 3, -1, 0),
        ),
        Works(
            """
            best = x[0]
            for i in range(1, n):
                best = max(best, x[i])
            y[0] = best
            """,
            (7, 0),
        ),
        Works(
            """
            h = 2166136261
            for i in range(n):
                h = (h ^ x[i]) * 16777619
                y[i] = h
            """,
        ),
    ],
    "branches": [
        Works(
            """
            c = [0, 0]
            for i in range(n):
                if x[i] > 0: c[0] += x[i]
                else: c[1] -= 1
                y[i] = c[0] * 10 + c[1]
            """,
            (30, 29, 28, 98, 118),
        ),
        Works(
            """
            s = 0
            for i in range(n):
                if s > 2 and not z[i]: s -= 3
                elif z[i] > 0: s += z[i]
                y[i] = s
            """,
            (1, 3, 0, 0, 5),
        ),
    ],
    "truth": [
        value("1 if x[i] and z[i] else 0", 1, 1, 0, 1, 1),
        value("x[i] and z[i] or 5", 1, 2, 5, -4, 5),
        value("not x[i]", 0, 0, 1, 0, 0),
        value("any([x[i], z[i]]) + all([x[i], z[i]]) * 2", 3, 3, 0, 3, 3),
        Works(
            """
            for i in range(n):
                if x[i]:
                    if z[i]:
                        y[i] = 7
            """,
            (7, 7, 0, 7, 7, 0),
        ),
    ],
    "comparisons": [
        value("0 < x[i] <= 3 != z[i]", 1, 0, 0, 0, 1),
        value("x[i] in (1, 2, 7)", 0, 0, 0, 1, 1),
        value("x[i] not in range(0, 3)", 1, 1, 0, 1, 0),
    ],
    "leaving": [
        Works(
            """
            for i in range(n):
                if x[i] == 0: break
                y[i] = x[i]
            """,
            (3, -1, 0, 0),
        ),
        Works(
            """
            for i in range(n):
                if x[i] < 1: continue
                if z[i] < 0:
                    y[i] = 1
                    continue
                y[i] = 2
            """,
            (2, 0, 0, 1, 2, 0),
        ),
        Works(
            """
            where = 0
            for i in range(n):
                if x[i] == K:
                    where = i
                    break
            else:
                where = -1
            y[0] = where
            """,
            (0, 0),
        ),
        Works(
            """
            for i in range(n):
                y[i] = x[i]
                if z[i] == 0: return
            """,
            (3, -1, 0, 0, 0),
        ),
    ],
    "indices": [
        Works("for i in range(n): y[n - 1 - i] = x[i]", (2, 7, 0, -1, 3), 5),
        Works("for i in range(n): y[2 * i + 1] = x[2 * i]", (0, 3, 0, 0, 0, 2)),
        value("x[z[i] & 7]", -1, 0, 3, 2, -5),
        Works("for i in range(n): y[x[i] & 7] = i", (2, 0, 4, 0, 0, 0, 0, 3), 8),
        value("x[i - 1] if i > 0 else 99", 99, 3, -1, 0, 7),
        value("x[z[i]] if 0 <= z[i] < 15 else -1", -1, 0, 3, -1, -5),
    ],
    "stores": [
        Works("for i in range(n):\n    y[i] = 1\n    y[i] = x[i]", (3, -1, 0, 7, 2), 5),
        Works(
            """
            for i in range(n):
                if x[i] > 0: y[i] = 1
                elif x[i] == 0: y[i] = 2
                else: y[i] = 3
            """,
            (1, 3, 2, 1, 1),
            5,
        ),
        Works("for i in range(n):\n    y[i] = 1\n    if x[i] > 2: y[i] = 5", (5, 1, 1, 5, 1)),
    ],
    "appending": [
        Works("for i in range(n):\n    if x[i] > 0: y.append(x[i])", (3, 7, 2, 0)),
        Works(
            """
            for i in range(n):
                if x[i] > 0: y.append(x[i])
                else: y.append(z[i])
            """,
            (3, 2, 0, 7, 2),
            5,
        ),
        Works("for i in range(n):\n    y.append(x[i])\n    y.append(i)", (3, 0, -1, 1, 0, 2), 10),
    ],
    "operators": [
        value("(x[i] + 2147483647) ^ ~z[i]"),
        value("(x[i] << 33) + (x[i] >> 40)", 0, -1, 0, 0, 0),
        value("(x[i] << (z[i] & 63)) + (x[i] >> (z[i] & 63))"),
        value("abs(x[i] - 2147483648)"),
        value("(x[i] > 1) + True - (~(x[i] > 1))"),
    ],
    "division": [
        value("x[i] // 3 * 100 + x[i] % 3", 100, -98, 0, 201, 2),
        value("x[i] // -4 + x[i] % -5 * 10", -21, -10, 0, -32, -31),
        value("x[i] // 8 + x[i] % 4 + z[i] // 1 + z[i] % 1"),
        value("x[i] ** 3 + x[i] ** 0", 28, 0, 1, 344, 9),
    ],
    "builtins": [
        value("min(x[i], z[i], 1) + max([x[i], z[i]]) + abs(x[i]) + sum([x[i], 1])"),
        value("sum([a * b for a, b in zip([x[i], z[i]], (2, 3))])", 9, 4, 0, 2, 19),
        Works(
            """
            for i in range(n):
                k = 50
                line = [x[i + k] for k in range(3)]
                y[i] = len(line) * k + max(line)
            """,
            (153, 157, 157, 157, 159),
        ),
        value("bool(x[i]) + int(z[i] > 1)", 1, 2, 0, 1, 2),
    ],
    "functions": [
        value("relu(x[i]) + clamp8(x[i] * 99) + shr(x[i], 28)", 130, -84, 0, 134, 129),
        value("mulh(x[i] << 20, z[i] << 20) + ltu(x[i], z[i]) + geu(x[i], 0xFFFFFFF0)"),
        value("select(x[i] > 0, 5, z[i])", 5, 2, 0, 5, 5),
    ],
    "calls": [
        Works(
            "for i in range(n): y[i] = clip(x[i], hi=K) + (t := z[i]) * t",
            (4, 5, 1, 19, 27),
            head="def clip(v, lo=1, hi=6):\n    if v < lo: return lo\n    return min(v, hi)\n"
            + HEAD,
        ),
        Works(
            "for i in range(n):\n    a: int = x[i]\n    a <<= 1\n    y[i] = a", (6, -2, 0, 14, 4)
        ),
    ],
    "tables": [
        value("(5, 7, 9, 11)[x[i] & 3]", 11, 11, 5, 11, 9),
    ],
    "wide": [
        value("(x[i] & 0xFFFFFFFF) + (1 << 40)", 3, -1, 0, 7, 2),
        value("x[i] * 0x80000001"),
    ],
}
