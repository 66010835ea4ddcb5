"""What the models see of a request, exactly as the filter reads it (`src/task/`).

Both sides read the inside of a JSON string literal, byte by byte and with the same bounds, so both
count the same: `src/task/tests.rs` holds them together. Everything is an integer.

A request becomes four sets of rows of one table:

* text      words, pairs of words and stems, wherever they stand;
* edge      the same again, salted, of the first words and of the last bytes of the user's message,
            where instructions stand; and its first one, two and three words by position;
* system    words and pairs of the system message, with the salt of `edge`;
* shape     what is not words: lengths, code fences, digits, scripts, tools …; one row each.

The score of a class is bias + text/sqrt(n) + edge/sqrt(n) + system/(2 sqrt(n)) + shape/4, where each
group is the sum of the class's weights over the *distinct* rows of that group and n their number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isqrt

CLASSES = [
    "code", "math", "extraction", "summarization", "translation", "qa",
    "reasoning", "creative", "chat", "classification", "tools",
]  # fmt: skip

BUCKET_BITS = 13
BUCKETS = 1 << BUCKET_BITS

# Bounds, in bytes of the JSON string literal.
USER_HEAD = 1024
USER_TAIL = 512
SYSTEM_HEAD = 256
# Words of the user's message that count as its beginning, and bytes that count as its end.
EDGE_WORDS = 20
EDGE_TAIL = 160

MASK = 0xFFFFFFFF
SEED = 0x811C9DC5
PRIME = 0x9E3779B1
FINAL = 0x85EBCA6B
STEM = 0x5BD1E995
EDGE = 0x27D4EB2F
FIRST = (0x165667B1, 0xC2B2AE3D, 0x2545F491)
# Letters of a word that make its stem.
STEM_LENGTH = 5

# Rows of the table that follow the hashed ones, in this order: name and number.
SHAPE = [
    ("user_length", 10),  # bit length of bytes / 32, at most 9
    ("lines", 7),  # bit length of the line feeds read, at most 6
    ("questions", 2),  # one question mark; more
    ("last", 4),  # last visible character: `?`, `:`, `.` or `!`, closing quote or bracket
    ("fence", 1),  # three backticks in a row
    ("backtick", 1),  # any other backtick
    ("indented", 1),  # two lines or more begin with two spaces or a tab
    ("list", 1),  # two lines or more begin with `-`, `*` or a number
    ("options", 1),  # two lines or more begin with a letter or number and `)`, or `(`
    ("quotes", 1),  # two double quotes or more
    ("dollar", 1),  # any `$`
    ("backslash", 2),  # one; more
    ("address", 1),  # `://`
    ("digits", 5),  # by share of what was read: 0, < 1/32, < 1/16, < 1/8, more
    ("braces", 4),  # {}[]();=<> likewise: 0, < 1/32, < 1/16, more
    ("operators", 4),  # +-*/^=% likewise: 0, < 1/64, < 1/32, more
    ("foreign", 3),  # letters beyond ASCII likewise: 0, < 1/16, more
    ("ideographs", 1),  # at least 1/8 of what was read
    ("cyrillic", 1),  # likewise
    ("messages", 4),  # 1, 2..3, 4..7, more
    ("system", 1),  # there is a system message
    ("tools", 1),
    ("tool_results", 1),
    ("json", 1),
]
# What a row of these counts.
SHAPE_WEIGHT = 0.25
SHAPE_ROW: dict[str, int] = {}
ROWS = BUCKETS
for _name, _count in SHAPE:
    SHAPE_ROW[_name] = ROWS
    ROWS += _count

WORD, SINGLE, GAP = 0, 1, 2


@dataclass(frozen=True)
class Evidence:
    """A request as the model is told of it. `user` and `system` are the insides of JSON string
    literals, in UTF-8: `literal(text)` makes one of plain text."""

    user: bytes
    system: bytes | None = None
    messages: int = 1
    tools: bool = False
    tool_results: bool = False
    json: bool = False


@dataclass(frozen=True)
class Features:
    """Rows of the table, by group, each sorted and distinct."""

    text: tuple[int, ...]
    edge: tuple[int, ...]
    system: tuple[int, ...]
    shape: tuple[int, ...]


def literal(text: str) -> bytes:
    """Plain text as the inside of a JSON string literal; lone surrogates stay escaped."""
    try:
        return json.dumps(text, ensure_ascii=False)[1:-1].encode()
    except UnicodeEncodeError:
        return json.dumps(text)[1:-1].encode()


def of_prompt(prompt: str) -> Features:
    """The features of a conversation that is one user message."""
    return extract(Evidence(user=literal(prompt)))


def bucket(value: int) -> int:
    """The row of a hash."""
    value ^= value >> 15
    return ((value * FINAL) & MASK) >> (32 - BUCKET_BITS)


def decode(raw: bytes):
    """Code points of a piece of a JSON string literal, each with its offset; -1 is what cannot be
    read. Never fails: pieces are cut at any byte."""
    at, end = 0, len(raw)
    while at < end:
        start, byte = at, raw[at]
        if byte == 0x5C:  # backslash
            point, at = escape(raw, at)
        elif byte < 0x80:
            point, at = byte, at + 1
        elif byte < 0xC0:  # the rest of a character that was cut
            point, at = -1, at + 1
        else:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            if at + length > end:
                point, at = -1, end
            else:
                point = byte & (0x7F >> length)
                for follower in raw[at + 1 : at + length]:
                    point = point << 6 | follower & 0x3F
                at += length
        yield start, point


PLAIN_ESCAPES = {
    ord("n"): 10, ord("t"): 9, ord("r"): 13, ord("b"): 8, ord("f"): 12,
    ord('"'): 34, ord("\\"): 92, ord("/"): 47,
}  # fmt: skip


def escape(raw: bytes, at: int) -> tuple[int, int]:
    """The code point of the escape at this backslash, and where the text goes on."""
    kind = raw[at + 1] if at + 1 < len(raw) else 0
    if kind != ord("u"):
        return PLAIN_ESCAPES.get(kind, -1), at + 2
    high = unit(raw, at)
    if high is None:
        return -1, at + 2
    if not 0xD800 <= high < 0xE000:
        return high, at + 6
    low = unit(raw, at + 6) if high < 0xDC00 else None
    if low is None or not 0xDC00 <= low < 0xE000:
        return -1, at + 6
    return 0x10000 + ((high & 0x3FF) << 10 | low & 0x3FF), at + 12


HEX = {byte: int(chr(byte), 16) for byte in b"0123456789abcdefABCDEF"}


def unit(raw: bytes, at: int) -> int | None:
    """The UTF-16 unit of the `\\uXXXX` at this offset, if it is one."""
    piece = raw[at : at + 6]
    if len(piece) < 6 or piece[:2] != b"\\u":
        return None
    value = 0
    for byte in piece[2:]:
        if byte not in HEX:
            return None
        value = value << 4 | HEX[byte]
    return value


def kind(point: int) -> tuple[int, int]:
    """What a code point is to words, and the code point in lower case."""
    if point < 0x80:
        if 0x41 <= point <= 0x5A:
            return WORD, point + 32
        if 0x61 <= point <= 0x7A or 0x30 <= point <= 0x39:
            return WORD, point
        return GAP, point
    if point < 0xC0:
        return GAP, point
    if point < 0x2000:
        if 0xC0 <= point <= 0xDE or 0x391 <= point <= 0x3A9 or 0x410 <= point <= 0x42F:
            return WORD, point + 32
        return (SINGLE if 0xE00 <= point < 0xE80 else WORD), point
    if point < 0x3040:
        return GAP, point
    if point < 0xD800 or point >= 0x10000:
        return SINGLE, point
    return (GAP if point >= 0xFF00 else WORD), point


class Words:
    """Collects rows of words, pairs and stems as code points come in."""

    def __init__(self, text: set[int] | None, edge: set[int]) -> None:
        self.text, self.edge = text, edge
        self.seen = 0  # words before this one
        self.opening = SEED
        self.reset()

    def reset(self) -> None:
        """Forgets the word being read and its predecessor: a gap in what is read."""
        self.hash, self.length, self.previous = SEED, 0, 0

    def letter(self, point: int, at_edge: bool) -> None:
        self.hash = ((self.hash ^ point) * PRIME) & MASK
        self.length += 1
        if self.length == STEM_LENGTH:
            self.stem = self.hash
        self.at_edge = at_edge

    def close(self) -> None:
        """The word ends here, if there is one."""
        if self.length == 0:
            return
        word = self.hash
        rows = [word]
        if self.length > STEM_LENGTH:
            rows.append(self.stem ^ STEM)
        if self.previous:
            rows.append(((self.previous << 5 & MASK | self.previous >> 27) ^ word) * PRIME & MASK)
        if self.text is not None:
            self.text.update(bucket(row) for row in rows)
        if self.text is None or self.seen < EDGE_WORDS or self.at_edge:
            self.edge.update(bucket((row ^ EDGE) * PRIME & MASK) for row in rows)
        if self.text is not None and self.seen < len(FIRST):
            self.opening = ((self.opening ^ word) * PRIME) & MASK
            self.edge.add(bucket((self.opening ^ FIRST[self.seen]) * PRIME & MASK))
        self.seen += 1
        self.previous = word
        self.hash, self.length = SEED, 0


class Shape:
    """Counts what is not words."""

    def __init__(self) -> None:
        self.points = self.line_feeds = self.questions = self.ticks = self.run = 0
        self.fence = False
        self.digits = self.braces = self.operators = self.foreign = 0
        self.ideographs = self.cyrillic = self.quotes = self.dollars = self.backslashes = 0
        self.indented = self.list = self.options = self.addresses = 0
        self.last = 0
        self.before = (10, 10)  # the two code points before, line feeds at the start

    def add(self, point: int, sort: int) -> None:
        self.points += 1
        older, old = self.before
        self.before = (old, point)
        self.run = self.run + 1 if point == 96 else 0
        if point >= 0x80:
            if sort != GAP:
                self.foreign += 1
            self.ideographs += sort == SINGLE
            self.cyrillic += 0x400 <= point < 0x530
            self.last = point
            return
        if point == -1:
            return
        char = chr(point)
        if point > 32:
            self.last = point
        if char.isdigit():
            self.digits += 1
        if char in "{}[]();=<>":
            self.braces += 1
        if char in "+-*/^=%":
            self.operators += 1
        self.line_feeds += char == "\n"
        self.questions += char == "?"
        self.quotes += char == '"'
        self.dollars += char == "$"
        self.backslashes += char == "\\"
        self.ticks += char == "`"
        self.fence |= self.run == 3
        self.addresses += char == "/" and old == 47 and older == 58
        if older == 10:  # the second character of a line
            self.indented += (char == " " and old == 32) or old == 9
            marker = 48 <= old <= 57 and char in ".)" or old in (42, 45) and char == " "
            self.list += marker
            lettered = (65 <= old <= 90 or 97 <= old <= 122 or 48 <= old <= 57) and char == ")"
            self.options += lettered or old == 40

    def rows(self, evidence: Evidence) -> set[int]:
        rows: set[int] = set()

        def level(name: str, value: int) -> None:
            rows.add(SHAPE_ROW[name] + value)

        def flag(name: str, present: bool) -> None:
            if present:
                level(name, 0)

        def share(name: str, count: int, *parts: int) -> None:
            level(name, 0 if count == 0 else 1 + sum(count * part >= self.points for part in parts))

        level("user_length", min((len(evidence.user) >> 5).bit_length(), 9))
        level("lines", min(self.line_feeds.bit_length(), 6))
        if self.questions:
            level("questions", int(self.questions > 1))
        for value, ends in enumerate(["?", ":", ".!", "\")]}'"]):
            if self.last in map(ord, ends):
                level("last", value)
        flag("fence", self.fence)
        flag("backtick", self.ticks > 0 and not self.fence)
        flag("indented", self.indented > 1)
        flag("list", self.list > 1)
        flag("options", self.options > 1)
        flag("quotes", self.quotes > 1)
        flag("dollar", self.dollars > 0)
        if self.backslashes:
            level("backslash", int(self.backslashes > 1))
        flag("address", self.addresses > 0)
        share("digits", self.digits, 32, 16, 8)
        share("braces", self.braces, 32, 16)
        share("operators", self.operators, 64, 32)
        share("foreign", self.foreign, 16)
        flag("ideographs", self.ideographs > 0 and self.ideographs * 8 >= self.points)
        flag("cyrillic", self.cyrillic > 0 and self.cyrillic * 8 >= self.points)
        messages = evidence.messages
        level("messages", (messages > 1) + (messages > 3) + (messages > 7))
        flag("system", evidence.system is not None)
        flag("tools", evidence.tools)
        flag("tool_results", evidence.tool_results)
        flag("json", evidence.json)
        return rows


def pieces(user: bytes) -> list[tuple[int, bytes]]:
    """What is read of the user's message: all of it, or its head and its tail; each with its offset."""
    if len(user) <= USER_HEAD + USER_TAIL:
        return [(0, user)]
    return [(0, user[:USER_HEAD]), (len(user) - USER_TAIL, user[-USER_TAIL:])]


def extract(evidence: Evidence) -> Features:
    """The features of a request."""
    text: set[int] = set()
    edge: set[int] = set()
    system: set[int] = set()
    words, shape = Words(text, edge), Shape()
    tail = len(evidence.user) - EDGE_TAIL
    for offset, piece in pieces(evidence.user):
        words.close()
        words.reset()
        shape.before = (10, 10) if offset == 0 else (0, 0)
        for at, point in decode(piece):
            sort, lower = kind(point)
            shape.add(point, sort)
            if sort != WORD:
                words.close()
            if sort != GAP:
                words.letter(lower, offset + at >= tail)
            if sort == SINGLE:
                words.close()
    words.close()
    words = Words(None, system)
    for _, point in decode((evidence.system or b"")[:SYSTEM_HEAD]):
        sort, lower = kind(point)
        if sort != WORD:
            words.close()
        if sort != GAP:
            words.letter(lower, False)
        if sort == SINGLE:
            words.close()
    words.close()
    return Features(*(tuple(sorted(rows)) for rows in (text, edge, system, shape.rows(evidence))))


def matrix(features: list[Features]):
    """Rows of a scipy matrix, one per request and `ROWS` wide, such that `matrix @ weights + bias` is
    the score; the arithmetic of the filter, but for rounding."""
    import numpy as np
    from scipy.sparse import csr_matrix

    starts, columns, values = [0], [], []
    for feature in features:
        for rows, weight in ((feature.text, 1.0), (feature.edge, 1.0), (feature.system, 0.5)):
            columns.extend(rows)
            values.extend([weight / max(len(rows), 1) ** 0.5] * len(rows))
        columns.extend(feature.shape)
        values.extend([SHAPE_WEIGHT] * len(feature.shape))
        starts.append(len(columns))
    shape = (len(features), ROWS)
    found = csr_matrix((np.array(values, dtype=np.float32), np.array(columns), np.array(starts)), shape=shape)
    found.sum_duplicates()  # edge and text may meet in one row
    return found


def score(feature: Features, weights, bias) -> list[int]:
    """Integer scores by column, as the filter computes them: `weights` are int8 by row, `bias` and the
    result are in 1/256 of a weight's unit."""
    columns = len(bias)

    def sums(rows: tuple[int, ...]) -> list[int]:
        return [sum(int(weights[row][column]) for row in rows) for column in range(columns)]

    total = [int(value) for value in bias]
    for rows, shift in ((feature.text, 12), (feature.edge, 12), (feature.system, 11)):
        root = max(isqrt(len(rows) << 8), 1)
        total = [score + (value << shift) // root for score, value in zip(total, sums(rows))]
    return [score + value * 64 for score, value in zip(total, sums(feature.shape))]
