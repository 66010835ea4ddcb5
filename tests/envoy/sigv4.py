"""AWS Signature Version 4 by the book, to check one that was made elsewhere.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
import urllib.parse
from dataclasses import dataclass

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})")


@dataclass(frozen=True)
class Signed:
    """What a signature claims."""

    key: str
    day: str
    region: str
    service: str
    headers: list[str]
    signature: str


def claims(authorization: str) -> Signed:
    """Reads an `authorization` header."""
    found = AUTHORIZATION.fullmatch(authorization)
    assert found, f"not a signature: {authorization}"
    return Signed(**found.groupdict() | {"headers": found["headers"].split(";")})


def signature(secret: str, signed: Signed, method: str, target: str, values, body: bytes) -> str:
    """The signature of a request; `values` gives the values of a header."""
    path, _, query = target.partition("?")
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    quoted = "&".join(f"{_quote(name)}={_quote(value)}" for name, value in pairs)
    lines = [f"{name}:{','.join(' '.join(value.split()) for value in values(name))}" for name in signed.headers]
    request = "\n".join([
        method, "/".join(_quote(step) for step in path.split("/")), quoted, *lines, "", ";".join(signed.headers), _sha256(body)])
    scope = f"{signed.day}/{signed.region}/{signed.service}/aws4_request"
    [date] = values("x-amz-date")
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, _sha256(request.encode())])
    key = f"AWS4{secret}".encode()
    for part in (signed.day, signed.region, signed.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="-_.~")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
