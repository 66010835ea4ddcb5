"""A proxy-wasm module that traps when it is told to, and its place beside the filter in a bootstrap.

The filter as shipped has no way to trap, so what becomes of one is shown with a stranger: a module
that runs into `unreachable` when it sees a certain header, and lets everything else pass. It gets
the plugin settings of the seat beside it and a VM of its own, so its trap meets the failure policy,
the reload and the local replies that `nr render envoy` gives the filter.
"""

import copy
from enum import Enum
from pathlib import Path

HCM = "envoy.filters.network.http_connection_manager"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
SEAT = "neural_router"

# Value types, and the addresses in the module's memory.
I32 = b"\x7f"
NAME, VALUE_POINTER, VALUE_SIZE, ALLOCATED = 16, 256, 260, 1024


class Headers(Enum):
    """Whose headers the module looks at: their map in the ABI, and the callback that brings them."""

    REQUEST = 0, "proxy_on_request_headers"
    RESPONSE = 2, "proxy_on_response_headers"


def module(headers: Headers, trigger: str) -> bytes:
    """WebAssembly, proxy-wasm ABI 0.2.1: traps as soon as the header `trigger` is there."""
    header_map, callback = headers.value
    types = [(5, 1), (0, 0), (1, 1), (2, 0), (2, 1), (3, 1)]  # (parameters, results), all i32
    header_value, nothing, allocate, create, accept, see_headers = range(len(types))
    functions = [  # (type, names it is exported by, instructions)
        (nothing, ["proxy_abi_version_0_2_1", "_initialize"], b""),
        (allocate, ["proxy_on_memory_allocate"], i32_const(ALLOCATED)),
        (create, ["proxy_on_context_create"], b""),
        (accept, ["proxy_on_vm_start", "proxy_on_configure"], i32_const(1)),
        (see_headers, [callback], b"".join([
            *map(i32_const, (header_map, NAME, len(trigger), VALUE_POINTER, VALUE_SIZE)),
            b"\x10\x00",  # call the import: 0 is "found"
            b"\x45\x04\x40\x00\x0b",  # i32.eqz, if, unreachable, end
            i32_const(0),  # continue
        ])),
    ]
    imports = 1
    exports = [wasm_name("memory") + b"\x02\x00"] + [
        wasm_name(name) + b"\x00" + leb128(imports + index)
        for index, (_, names, _) in enumerate(functions) for name in names
    ]
    bodies = [b"\x00" + code + b"\x0b" for _, _, code in functions]
    return b"\x00asm\x01\x00\x00\x00" + b"".join([
        _section(1, [b"\x60" + _vector([I32] * given) + _vector([I32] * taken) for given, taken in types]),
        _section(2, [wasm_name("env") + wasm_name("proxy_get_header_map_value") + b"\x00" + leb128(header_value)]),
        _section(3, [leb128(kind) for kind, _, _ in functions]),
        _section(5, [b"\x00\x01"]),  # one page of memory
        _section(7, exports),
        _section(10, [leb128(len(body)) + body for body in bodies]),
        _section(11, [b"\x00" + i32_const(NAME) + b"\x0b" + wasm_name(trigger)]),
    ])


def before_router(bootstrap: dict, wasm: Path) -> None:
    """Puts the module in front of the router seat."""
    manager = _one(
        found["typed_config"]
        for listener in bootstrap["static_resources"]["listeners"]
        for chain in listener["filter_chains"] for found in chain["filters"] if found["name"] == HCM)
    _insert(manager["http_filters"], wasm, 0)


def before_provider(bootstrap: dict, provider: str, wasm: Path) -> None:
    """Puts the module in front of the seat of this provider."""
    _insert(_upstream_filters(bootstrap, provider), wasm, 0)


def behind_provider(bootstrap: dict, provider: str, wasm: Path) -> None:
    """Puts the module right behind the seat of this provider."""
    _insert(_upstream_filters(bootstrap, provider), wasm, 1)


def _upstream_filters(bootstrap: dict, provider: str) -> list:
    cluster = _one(c for c in bootstrap["static_resources"]["clusters"] if c["name"] == f"provider_{provider}")
    return cluster["typed_extension_protocol_options"][HTTP_OPTIONS]["http_filters"]


def _insert(filters: list, wasm: Path, offset: int) -> None:
    seat = _one(index for index, found in enumerate(filters) if found["name"] == SEAT)
    trap = copy.deepcopy(filters[seat])
    trap["name"] = "trap"
    plugin = trap["typed_config"]["config"]
    plugin["name"] = wasm.stem  # under which Envoy counts its reloads
    plugin["vm_config"]["code"] = {"local": {"filename": str(wasm)}}
    filters.insert(seat + offset, trap)


def _one(found):
    (only,) = found
    return only


def leb128(value: int) -> bytes:
    """LEB128."""
    pieces = bytearray()
    while value > 0x7f:
        pieces.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(pieces) + bytes([value])


def i32_const(value: int) -> bytes:
    """`i32.const`, whose number is signed: bit 6 of its last byte must be clear."""
    number = leb128(value)
    if number[-1] & 0x40:
        number = number[:-1] + bytes([number[-1] | 0x80, 0])
    return b"\x41" + number


def wasm_name(text: str) -> bytes:
    return leb128(len(text)) + text.encode("ascii")


def _vector(items: list[bytes]) -> bytes:
    return leb128(len(items)) + b"".join(items)


def _section(ident: int, items: list[bytes]) -> bytes:
    content = _vector(items)
    return bytes([ident]) + leb128(len(content)) + content
