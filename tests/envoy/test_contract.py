"""Every sentence of the public contract is true: see `contract.py`."""

import pytest

import contract
from contract import Row, Scene

ROWS = contract.all_rows()


@pytest.mark.parametrize("row", ROWS, ids=[row.says for row in ROWS])
def test_contract(gateway, sim, callers, row: Row):
    row.check(row.call(Scene(gateway, sim, callers)))


def test_every_status_and_type_of_the_contract_has_a_row():
    assert {row.status for row in ROWS} >= {200, 400, 401, 402, 403, 404, 405, 415, 429, 503}
    codes = {row.code for row in ROWS}
    assert codes >= {
        "invalid_api_key", "budget_exceeded", "guardrail_blocked", "model_forbidden", "model_not_found", "requests_per_minute_exceeded",
        "tokens_per_minute_exceeded", "unsupported_capability", "context_length_exceeded", "wrong_model_kind", "unknown_url"}
