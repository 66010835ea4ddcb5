"""The labelled prompts, set by set."""

from __future__ import annotations

import gzip
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

from training.features import Evidence, literal
from training.task_class import labels

HERE = Path(__file__).parent
# Times a prompt of our own is used: as it is, or with what is filled into its places.
USES, FILLED_USES = 3, 12
PLACE = re.compile(r"\{([a-z]+)\}")
# What applications put first, whatever the task; given to a part of our own prompts so that it means nothing.
PLAIN_SYSTEMS = [
    "You are a helpful assistant.",
    "You are a helpful, respectful and honest assistant.",
    "Answer concisely.",
    "You are ChatGPT, a large language model. Follow the user's instructions carefully. Respond using markdown.",
    "You are an AI assistant for Contoso employees. Be polite and brief.",
    "Du bist ein hilfreicher Assistent.",
]


@dataclass(frozen=True)
class Sample:
    """One labelled request. Samples of one `group` share a template or task and are never independent."""

    source: str
    group: str
    label: str
    evidence: Evidence


def rows(folder: Path, name: str) -> list[dict]:
    """A file of the data folder."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def lines(path: Path) -> list[dict]:
    """A JSON-lines file of this folder."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sample(source: str, group: str, label: str | None, prompt: str) -> list[Sample]:
    """A sample, if it has a label."""
    return [Sample(source, group, label, Evidence(user=literal(prompt)))] if label else []


def own(seed: int) -> list[Sample]:
    """Prompts of our own, their places filled."""
    pick = random.Random(seed)
    fillings = json.loads((HERE / "slots.json").read_text(encoding="utf-8"))
    for row in lines(HERE / "payloads.jsonl"):
        fillings.setdefault(row["kind"], []).append(row["text"])

    def filling(place: re.Match) -> str:
        choices = fillings.get(place[1])
        if not choices:
            return place[0]
        if place[1] == "text":
            return pick.choice(["\n\n", " ", "\n"]).join(pick.sample(choices, pick.choice([1, 1, 1, 2, 3, 5])))
        return pick.choice(choices)

    found = []
    for number, row in enumerate(lines(HERE / "own.jsonl")):
        filled = any(place in fillings for place in PLACE.findall(row["prompt"]))
        for _ in range(FILLED_USES if filled else USES):
            prompt = PLACE.sub(filling, framed(row["prompt"], pick))
            found.append(Sample("own", f"own-{number}", row["class"], around(prompt, row["class"], pick)))
    return found


FRAMES = [
    "{instruction}\n\n{text}", "{text}\n\n{instruction}", "{instruction}\n\nText: {text}", "{instruction}\n\"\"\"\n{text}\n\"\"\"",
    "{text}\n{instruction}", "{text}\n===\n{instruction}\nAnswer:", "{instruction} {text}", "Input: {text}\n\n{instruction}",
    "### Instruction:\n{instruction}\n\n### Input:\n{text}\n\n### Response:", "{instruction}\n\n<text>\n{text}\n</text>",
]  # fmt: skip


def framed(prompt: str, pick: random.Random) -> str:
    """An instruction about a text that follows it, sometimes put around the text in another way."""
    instruction, text, rest = prompt.partition("{text}")
    if not text or rest or len(instruction) < 12 or pick.random() < 0.4:
        return prompt
    return pick.choice(FRAMES).replace("{instruction}", instruction.strip())


def around(prompt: str, label: str, pick: random.Random) -> Evidence:
    """A prompt of our own in a conversation: what is around it is independent of the class, but for
    tools, which are always offered where one is wanted."""
    return Evidence(
        user=literal(prompt),
        system=literal(pick.choice(PLAIN_SYSTEMS)) if pick.random() < 0.3 else None,
        messages=pick.choice([1, 1, 1, 2, 3, 5, 9]),
        tools=label == "tools" or pick.random() < 0.04,
        json=label in ("extraction", "classification") and pick.random() < 0.3 or pick.random() < 0.03,
    )


def load(folder: Path, seed: int) -> list[Sample]:
    """Every labelled prompt."""
    found = own(seed)
    for row in rows(folder, "t0-templates"):
        found += sample("t0", row["template"], labels.t0(row["template"]), row["prompt"])
    for row in rows(folder, "big-bench-hard"):
        found += sample("bbh", row["task"], labels.BIG_BENCH_HARD[row["task"]], row["prompt"])
    for row in rows(folder, "llmrouter-multimodel"):
        found += sample("llmrouter", row["task"], labels.LLMROUTER[row["task"]], row["prompt"])
    for number, row in enumerate(rows(folder, "vicuna-bench")):
        found += sample("vicuna", f"vicuna-{number}", labels.VICUNA[row["category"]], row["prompt"])
    for number, row in enumerate(rows(folder, "self-instruct-seed")):
        prompt = row["instruction"] + ("\n\n" + row["input"] if row["input"] else "")
        found += sample("self-instruct", f"self-{number}", labels.self_instruct(number), prompt)
    found += [s for row in rows(folder, "routellm-gsm8k") for s in sample("routellm", "gsm8k", "math", row["prompt"])]
    for row in rows(folder, "routellm-mmlu"):
        label = "math" if labels.MMLU_MATH.search(row["subject"]) else "qa"
        found += sample("routellm", row["subject"], label, row["prompt"])
    marks = {row["prompt"]: row["class"] for row in lines(HERE / "arena.jsonl")}
    for row in rows(folder, "arena-hard-v0.1"):
        key = fingerprint(row["prompt"])
        found += sample("arena-hard", key, marks.get(key), row["prompt"])
    return found


def fingerprint(prompt: str) -> str:
    """A short name of a prompt that is not repeated here."""
    import hashlib

    return hashlib.sha256(prompt.encode()).hexdigest()[:12]


def trained_without(samples: list[Sample], held_out: str) -> list[Sample]:
    """What may be trained on when a set is held out: neither the set nor what shares prompts with it."""
    family = {"routellm", "llmrouter"} if held_out in ("routellm", "llmrouter") else {held_out}
    shared = ("commonsense_qa", "common_gen")

    def overlaps(s: Sample) -> bool:
        if held_out == "llmrouter" and s.source == "t0" and s.group.startswith(shared):
            return True
        return held_out == "t0" and s.source == "llmrouter" and s.group in ("commonsense_qa", "commongen")

    return [s for s in samples if s.source not in family and not overlaps(s)]
