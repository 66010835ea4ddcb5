"""Provider keys reach the providers and nothing else."""

import stat

import pytest

from configuration import PROTOCOLS, PROVIDER_OF
from programs import until


def holding(text: str, stack) -> list[str]:
    """Which secrets a text holds, whole or by their random part."""
    everything = {f"provider {name}": key for name, key in stack.secrets.provider.items()}
    everything |= {f"workspace {name}": key for name, key in stack.secrets.workspace.items()}
    return [name for name, key in everything.items() if key in text or key.rpartition("-")[2] in text]


@pytest.fixture
def used(stack, gateway, sim):
    """Every provider has been called once, and has failed once, so that each key was read and used."""
    for model, provider in PROVIDER_OF.items():
        assert gateway.chat(model, text=stack.secrets.prompt).status == 200
        sim.fault(provider, "status", status=401)
        assert gateway.chat(model, text=stack.secrets.prompt).status == 503
    return stack


def test_the_keys_are_there_to_be_found(used):
    written = "".join(path.read_text() for path in used.secrets_folder.rglob("*") if path.is_file())
    assert holding(written, used) == [f"provider {name}" for name in PROTOCOLS]


def test_no_key_is_in_the_bootstrap(used):
    assert holding(used.bootstrap.read_text(), used) == []


def test_no_key_is_in_the_config_dump(used):
    dump = used.config_dump()
    assert "provider_openai" in dump and "neural" in dump
    assert holding(dump, used) == []


def test_no_key_or_prompt_is_in_a_log(used):
    assert used.envoy.output(), "there is no access log to look at"
    for name, text in used.logs().items():
        assert holding(text, used) == [], name
        assert used.secrets.prompt not in text, name


def test_no_key_is_in_a_place_outside_the_secrets_directory(used):
    for path in used.folder.rglob("*"):
        if path.is_file() and used.secrets_folder not in path.parents:
            assert holding(path.read_text(errors="replace"), used) == [], path


def test_the_secrets_directory_is_the_user_s_own(used):
    assert stat.S_IMODE(used.secrets_folder.stat().st_mode) == 0o700
    files = [path for path in used.secrets_folder.rglob("*") if path.is_file()]
    assert len(files) >= len(PROTOCOLS)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize("status", [400, 401, 403, 500])
@pytest.mark.parametrize("model", PROVIDER_OF)
def test_an_error_of_a_provider_that_quotes_the_key_does_not_show_it(gateway, sim, stack, model, status):
    provider = PROVIDER_OF[model]
    message = f"Incorrect API key provided: {stack.secrets.provider[provider]}."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    sim.fault(provider, "status", status=status, body={"type": "error", "error": error})

    answer = gateway.chat(model)

    assert answer.status in (400, 503)
    assert holding(answer.body.decode(), stack) == []
    assert not any(holding(value, stack) for _, value in answer.headers)


def test_a_rotated_key_is_used_without_a_restart(gateway, sim, stack):
    file = stack.secrets_folder / "provider_groq.key"
    old = file.read_text()
    fresh = stack.secrets.provider["groq"][:-8] + "rotated0"
    try:
        replace(file, fresh)

        def used() -> bool:
            gateway.chat("llama-3.3-70b")
            return sim.requests("groq")[-1].values("authorization") == [f"Bearer {fresh}"]
        until(used, "the rotated key to reach the provider", 15, 0.1)
    finally:
        replace(file, old)

    def restored() -> bool:
        gateway.chat("llama-3.3-70b")
        return sim.requests("groq")[-1].values("authorization") == [f"Bearer {old}"]
    until(restored, "the first key to be back", 15, 0.1)


def replace(file, key: str) -> None:
    """Rotates as documented: a new file beside it, renamed over it."""
    beside = file.with_suffix(".new")
    beside.touch(0o600)
    beside.write_text(key)
    beside.rename(file)
