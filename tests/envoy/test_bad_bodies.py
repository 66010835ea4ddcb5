"""Request bodies that nobody should send: a clear refusal, or the provider's own judgement, and never a trap."""

import json

import pytest

from configuration import BODY_LIMIT
from gateway import assert_error

pytestmark = pytest.mark.usefixtures("unharmed")

USER = '{"role":"user","content":"Hi."}'
START = '{"model":"gpt-4o","messages":[' + USER + "]"

NOT_JSON = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "text": b"hello",
    "half an object": b'{"model":"gpt-4o","messages":[{"role":"us',
    "only a brace": b"{",
    "array": b"[]",
    "number": b"7",
    "string": b'"gpt-4o"',
    "null": b"null",
    "true": b"true",
    "two objects": b"{}{}",
    "trailing bytes": START.encode() + b"}x",
    "trailing comma": START.encode() + b",}",
    "single quotes": START.replace('"', "'").encode() + b"}",
    "comment": START.encode() + b"/* */}",
    "NaN": START.encode() + b',"temperature":NaN}',
    "Infinity": START.encode() + b',"temperature":-Infinity}',
    "leading zero": START.encode() + b',"n":01}',
    "plus sign": START.encode() + b',"n":+1}',
    "byte order mark": b"\xef\xbb\xbf" + START.encode() + b"}",
    "UTF-16": (START + "}").encode("utf-16"),
    "Latin-1": '{"model":"gpt-4o","messages":[{"role":"user","content":"café"}]}'.encode("latin-1"),
    "overlong UTF-8": START.encode() + b',"user":"\xc0\xaf"}',
    "raw control byte in a string": START.encode() + b',"user":"a\nb"}',
    "raw zero byte": START.encode() + b',"user":"a\x00b"}',
    "form": b"model=gpt-4o",
    "10,000 zero bytes": b"\x00" * 10_000,
    "bad escape": START.encode() + b',"user":"\\q"}',
    "cut escape": START.encode() + b',"user":"\\u12"}',
}


@pytest.mark.parametrize("case", NOT_JSON)
def test_refuses_a_body_that_is_no_json_object(gateway, no_provider_called, case):
    assert_error(gateway.post(NOT_JSON[case]), 400, "invalid_request")


DEEP = 100_000


@pytest.mark.parametrize("body", [
    "[" * DEEP, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP,
    START + ',"tools":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}",
    '{"model":"gpt-4o","messages":' + "[" * DEEP + "]" * DEEP + "}",
    '{"model":"gpt-4o","messages":[{"role":"user","content":' + "[" * DEEP + "]" * DEEP + "}]}",
    '{"model":"gpt-4o","messages":[{"role":"user","content":"Hi."}],"route":' + "[" * DEEP + "]" * DEEP + "}",
], ids=["open brackets", "array", "object", "tools", "messages", "content", "route"])
def test_survives_a_hundred_thousand_levels(gateway, no_provider_called, body):
    assert_error(gateway.post(body.encode()), 400, "invalid_request")


def deep_member(model: str, field: str) -> bytes:
    return (START.replace("gpt-4o", model) + f',"{field}":' + "[" * DEEP + "]" * DEEP + "}").encode()


def test_a_deep_value_for_a_translated_provider_is_refused_too(gateway, no_provider_called):
    assert_error(gateway.post(deep_member("claude-sonnet", "tools")), 400, "invalid_request")


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
def test_a_deep_value_that_nobody_reads_is_refused_with_the_limit(gateway, no_provider_called, model):
    answer = gateway.post(deep_member(model, "metadata"))
    assert_error(answer, 400, "invalid_request")
    assert "512" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("body", "param"), [
    ('{"model":"gpt-4o","model":"claude-sonnet","messages":[' + USER + "]}", "model"),
    ('{"model":"gpt-4o","mod\\u0065l":"claude-sonnet","messages":[' + USER + "]}", "model"),
    (START + ',"route":{},"route":{"objective":"cost"}}', "route"),
    (START + ',"messages":[]}', "messages"),
    (START + ',"stream":false,"stream":true}', "stream"),
    (START + ',"str\\u0065am":true,"stream":false}', "stream"),
    (START + ',"route":{"objective":"cost","objective":"quality"}}', ""),
    ('{"model":"gpt-4o","messages":[{"role":"user","role":"system","content":"x"}]}', ""),
], ids=["model", "escaped model", "route", "messages", "stream", "escaped stream", "objective", "role"])
def test_refuses_a_member_that_stands_twice(gateway, no_provider_called, body, param):
    assert_error(gateway.post(body.encode()), 400, "invalid_request", param=param)


def test_an_escaped_route_does_not_slip_through_to_the_provider(gateway, sim):
    answer = gateway.post((START + ',"ro\\u0075te":{"objective":"cost"}}').encode())
    assert answer.status == 200
    assert set(sim.only("openai").json()) == {"model", "messages"}


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
@pytest.mark.parametrize(("field", "value"), [
    ("max_tokens", "18446744073709551616"), ("seed", "18446744073709551616"), ("n", "18446744073709551616"),
    ("temperature", "1e400"), ("temperature", "-1e400"), ("max_tokens", "1e3"), ("max_tokens", "-1"), ("max_tokens", "1.5"),
    ("seed", "9" * 5000), ("temperature", "2." + "1" * 5000), ("max_tokens", '"many"'), ("stream", '"yes"'), ("stream", "1"),
    ("stop", "7"), ("tools", "7"), ("tools", "[7]"), ("tools", '[{"type":"function"}]'), ("tool_choice", "[]"),
    ("response_format", '"json"'), ("response_format", '{"type":"xml"}'), ("stream_options", "7"), ("temperature", '"hot"'),
], ids=lambda value: value[:24])
def test_a_value_out_of_range_is_refused_clearly(gateway, model, field, value):
    answer = gateway.post((START.replace("gpt-4o", model) + f',"{field}":{value}}}').encode())
    if answer.status == 200:  # a protocol that has no such field leaves it out and says so
        assert model == "claude-sonnet" and field in ("seed", "n", "tool_choice"), answer.body[:300]
        assert any(field in adjustment for adjustment in map(str, answer.routing["adjustments"]))
    else:
        assert_error(answer, 400, "invalid_request")


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
@pytest.mark.parametrize("text", ["\\ud800", "\\udc00", "\\ud800\\ud800", "\\udc00\\ud800", "a\\ud83d", "\\ud83dx"])
@pytest.mark.parametrize("place", ["content", "model", "member name", "fallback", "role"])
def test_a_lone_surrogate_is_refused_or_passed_but_never_harms(gateway, model, text, place):
    body = {
        "content": f'{{"model":"{model}","messages":[{{"role":"user","content":"{text}"}}]}}',
        "model": f'{{"model":"{model}{text}","messages":[{USER}]}}',
        "member name": f'{{"model":"{model}","messages":[{USER}],"{text}":1}}',
        "fallback": f'{{"model":"{model}","messages":[{USER}],"route":{{"fallbacks":["{text}"]}}}}',
        "role": f'{{"model":"{model}","messages":[{{"role":"user{text}","content":"x"}}]}}',
    }[place]
    answer = gateway.post(body.encode())
    if answer.status != 200:
        error = answer.json()["error"]
        assert (answer.status, error["type"]) in ((400, "invalid_request"), (404, "model_not_found")), error
    else:
        assert place in ("content", "member name")


MESSAGES = [
    "null", "7", '"hi"', "{}", "[]", "[null]", "[7]", '["hi"]', "[[]]", "[{}]", '[{"role":"user"},{"role":7}]',
    '[{"content":"hi"}]', '[{"role":null,"content":"hi"}]', '[{"role":"robot","content":"hi"}]',
    '[{"role":"user","content":7}]', '[{"role":"user","content":{}}]', '[{"role":"user","content":[7]}]',
    '[{"role":"user","content":[{}]}]', '[{"role":"user","content":[{"type":7}]}]', '[{"role":"user","content":true}]',
    '[{"role":"user","content":[{"type":"text"}]}]', '[{"role":"user","content":[{"type":"text","text":7}]}]',
    '[{"role":"user","content":[{"type":"image_url","image_url":7}]}]', '[{"role":"user","content":[{"type":"hologram"}]}]',
    '[{"role":"assistant","tool_calls":7}]', '[{"role":"assistant","tool_calls":[{}]}]', '[{"role":"tool","content":"x"}]',
]


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
@pytest.mark.parametrize("messages", MESSAGES)
def test_messages_of_a_wrong_type_are_refused(gateway, model, messages):
    error = assert_error(gateway.post(f'{{"model":"{model}","messages":{messages}}}'.encode()), 400, "invalid_request")
    assert error["param"].startswith("messages"), error


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_member_is_named(gateway, no_provider_called, missing):
    body = {"model": "gpt-4o", "messages": [json.loads(USER)]}
    del body[missing]
    assert_error(gateway.post(json.dumps(body).encode()), 400, "invalid_request", param=missing)


@pytest.mark.parametrize("value", ["null", "7", "[]", "{}", "true", '["gpt-4o"]'])
def test_a_model_that_is_no_string_is_refused(gateway, no_provider_called, value):
    assert_error(gateway.post(f'{{"model":{value},"messages":[{USER}]}}'.encode()), 400, "invalid_request", param="model")


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "text/plain", "", "application/x-www-form-urlencoded",
                                          "multipart/form-data; boundary=x", "a" * 1000])
def test_the_body_decides_and_not_its_content_type(gateway, sim, content_type):
    answer = gateway.post((START + "}").encode(), headers=[("content-type", content_type)])
    assert answer.status == 200
    assert sim.only("openai").values("content-type") == ["application/json"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "identity, gzip", "unknown", "\xff"])
@pytest.mark.parametrize("path", ["/v1/chat/completions"])
def test_an_encoded_body_is_refused(gateway, no_provider_called, encoding, path):
    answer = gateway.call("POST", path, headers=[("content-encoding", encoding)], body=(START + "}").encode())
    assert_error(answer, 415, "invalid_request", "unsupported_content_encoding")


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("excess", [1, 1 << 20])
def test_a_body_above_the_limit_is_refused_and_the_limit_named(gateway, no_provider_called, chunked, excess):
    start = (START + ',"user":"').encode()
    body = start + b"x" * (BODY_LIMIT + excess - len(start) - 2) + b'"}'

    error = assert_error(gateway.post(body, chunked=chunked), 400, "invalid_request", "request_too_large")

    assert str(BODY_LIMIT) in error["message"].replace(",", "").replace("_", "") or "16 MiB" in error["message"]


def big(model: str, size: int = 10_000_000) -> bytes:
    """A body of 10 MB whose text is small enough for the context window: most of it is an image."""
    image = "data:image/png;base64," + "A" * (size - 300)
    return json.dumps({"model": model, "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": image}}]}]}).encode()


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
def test_ten_megabytes_pass(gateway, sim, chunked, model):
    provider = {"gpt-4o": "openai", "claude-sonnet": "anthropic"}[model]
    answer = gateway.post(big(model), chunked=chunked)
    assert answer.status == 200, answer.body[:400]
    assert len(sim.only(provider).body) > 9_900_000 and sim.only(provider).completed


@pytest.mark.parametrize("order", [("gpt-4o", "claude-sonnet"), ("claude-sonnet", "gpt-4o")], ids=" then ".join)
@pytest.mark.parametrize("fault", [("status", {"status": 500}), ("reset_before_headers", {}), ("refuse", {})], ids=lambda fault: fault[0])
def test_ten_megabytes_pass_to_the_fallback_as_well(gateway, sim, order, fault):
    providers = {"gpt-4o": "openai", "claude-sonnet": "anthropic"}
    sim.fault(providers[order[0]], fault[0], **fault[1])
    body = big(order[0])[:-1] + f',"route":{{"fallbacks":["{order[1]}"]}}}}'.encode()

    answer = gateway.post(body)

    assert answer.status == 200, answer.body[:400]
    assert answer.routing["selected"] == order[1]
    received = sim.only(providers[order[1]])
    assert len(received.body) > 9_900_000 and b"A" * 9_999_000 in received.body and b"fallbacks" not in received.body
