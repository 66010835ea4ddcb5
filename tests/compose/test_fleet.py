"""What the profile `fleet` promises: two gateways, one limit."""

import os
import shlex
import subprocess
import time
from collections import Counter

LIMIT = 600  # calls a minute, of examples/demo.yaml
SECONDS_NEEDED = 20


def ask() -> dict:
    """A chat call's body."""
    return {"model": "gpt-4o", "max_tokens": 5, "messages": [{"role": "user", "content": "Say hello."}]}


def wait_for_a_fresh_minute() -> None:
    """A minute's limit is of the clock's minutes."""
    left = 60 - time.time() % 60
    if left < SECONDS_NEEDED:
        time.sleep(left + 0.1)


def in_redis(*words: str) -> list[str]:
    """A command in Redis's container."""
    argv = [*shlex.split(os.environ["NR_COMPOSE"]), "exec", "-T", "redis", "redis-cli", "--raw", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()


def test_calls_through_both_gateways_share_one_limit(fleet, simulator):
    wait_for_a_fresh_minute()
    minute = time.time() // 60
    statuses: Counter = Counter()

    for number in range(LIMIT + 100):  # of which each gateway gets less than it would let in by itself
        statuses[fleet[number % 2].post("/v1/chat/completions", json=ask()).status_code] += 1

    assert time.time() // 60 == minute, f"{LIMIT + 100} calls took longer than {SECONDS_NEEDED} s"
    assert statuses == {200: LIMIT, 429: 100}
    keys = [key for key in in_redis("KEYS", "*,counter:*") if "requests" in key]
    assert [int(value) for value in in_redis("MGET", *keys)] == [LIMIT]
