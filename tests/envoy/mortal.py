"""The filter with a short life: one of its callbacks traps when it is called for the n-th time.

`trapping` shows what becomes of a call when a stranger's VM traps. What the death of the filter's own
VM leaves behind, such as reservations, only the filter itself can show, and as shipped it has no way to
trap. So this is the filter, byte for byte, with a counter in front of one callback. Every VM counts for
itself, from its start.
"""

from trapping import i32_const, leb128, wasm_name

TYPES, IMPORTS, FUNCTIONS, GLOBALS, EXPORTS, CODE = 1, 2, 3, 6, 7, 10
I32, MUTABLE, VOID = b"\x7f", b"\x01", b"\x40"
LOCAL_GET, GLOBAL_GET, GLOBAL_SET, CALL = b"\x20", b"\x23", b"\x24", b"\x10"
ADD, GREATER_OR_EQUAL, IF, UNREACHABLE, END = b"\x6a", b"\x4f", b"\x04", b"\x00", b"\x0b"


def mortal(wasm: bytes, callback: str, calls: int) -> bytes:
    """The module with this exported callback trapping at the n-th call."""
    sections = _sections(wasm)
    content = dict(sections)
    imported, at = unsigned(content[IMPORTS], 0)
    assert all(kind == 0 for kind in _import_kinds(content[IMPORTS], at, imported)), "something else than functions is imported"
    export = wasm_name(callback) + b"\x00"
    original, _ = unsigned(content[EXPORTS], content[EXPORTS].index(export) + len(export))
    kinds = _numbers(content[FUNCTIONS])
    kind = kinds[original - imported]
    counter, _ = unsigned(content[GLOBALS], 0)
    wrapper = imported + len(kinds)
    body = b"".join([
        b"\x00",  # no locals
        GLOBAL_GET, leb128(counter), i32_const(1), ADD, GLOBAL_SET, leb128(counter),
        GLOBAL_GET, leb128(counter), i32_const(calls), GREATER_OR_EQUAL, IF, VOID, UNREACHABLE, END,
        *(LOCAL_GET + leb128(index) for index in range(_parameters(content[TYPES], kind))),
        CALL, leb128(original), END])
    changed = {
        FUNCTIONS: _appended(content[FUNCTIONS], leb128(kind)),
        GLOBALS: _appended(content[GLOBALS], I32 + MUTABLE + i32_const(0) + END),
        EXPORTS: content[EXPORTS].replace(export + leb128(original), export + leb128(wrapper), 1),
        CODE: _appended(content[CODE], leb128(len(body)) + body),
    }
    return wasm[:8] + b"".join(
        bytes([ident]) + leb128(len(piece)) + piece
        for ident, piece in ((ident, changed.get(ident, old)) for ident, old in sections))


def _sections(wasm: bytes) -> list[tuple[int, bytes]]:
    assert wasm.startswith(b"\x00asm\x01\x00\x00\x00")
    found, at = [], 8
    while at < len(wasm):
        size, start = unsigned(wasm, at + 1)
        found.append((wasm[at], wasm[start:start + size]))
        at = start + size
    return found


def _import_kinds(content: bytes, at: int, count: int):
    for _ in range(count):
        for _ in range(2):  # module and name
            size, at = unsigned(content, at)
            at += size
        yield content[at]
        _, at = unsigned(content, at + 1)


def _parameters(types: bytes, wanted: int) -> int:
    """How many parameters a function type has. Value types are one byte each."""
    _, at = unsigned(types, 0)
    for _ in range(wanted):
        given, at = unsigned(types, at + 1)
        taken, at = unsigned(types, at + given)
        at += taken
    return unsigned(types, at + 1)[0]


def _numbers(vector: bytes) -> list[int]:
    count, at = unsigned(vector, 0)
    found = []
    for _ in range(count):
        value, at = unsigned(vector, at)
        found.append(value)
    return found


def _appended(vector: bytes, item: bytes) -> bytes:
    count, at = unsigned(vector, 0)
    return leb128(count + 1) + vector[at:] + item


def unsigned(data: bytes, at: int) -> tuple[int, int]:
    """A LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
