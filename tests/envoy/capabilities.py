"""What a WebAssembly module imports and exports."""

from collections.abc import Iterator
from pathlib import Path

IMPORTS, EXPORTS, FUNCTION = 2, 7, 0


def functions(module: Path) -> tuple[set[str], set[str]]:
    """The functions that a module imports, and those that it exports."""
    code = module.read_bytes()
    assert code[:8] == b"\x00asm\x01\x00\x00\x00", f"{module} is no WebAssembly"
    found: dict[int, set[str]] = {IMPORTS: set(), EXPORTS: set()}
    at = 8
    while at < len(code):
        section, (size, at) = code[at], _number(code, at + 1)
        if section in found:
            found[section] = set(_names(code, at, section))
        at += size
    return found[IMPORTS], found[EXPORTS]


def _names(code: bytes, at: int, section: int) -> Iterator[str]:
    count, at = _number(code, at)
    for _ in range(count):
        name, at = _name(code, at)
        if section == IMPORTS:  # the first name is that of the other module
            name, at = _name(code, at)
            assert code[at] == FUNCTION, f"{name} is imported and no function"
        kind, (_, at) = code[at], _number(code, at + 1)
        if kind == FUNCTION:
            yield name


def _name(code: bytes, at: int) -> tuple[str, int]:
    length, at = _number(code, at)
    return code[at:at + length].decode(), at + length


def _number(code: bytes, at: int) -> tuple[int, int]:
    """LEB128 without a sign, and where it ends."""
    value = shift = 0
    while True:
        value |= (code[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if code[at - 1] < 0x80:
            return value, at
