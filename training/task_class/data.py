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
USES, FILLED_USES = 6, 12
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
        filled = " || " in row["prompt"] or any(place in fillings for place in PLACE.findall(row["prompt"]))
        for _ in range(FILLED_USES if filled else USES):
            prompt = PLACE.sub(filling, framed(with_options(row["prompt"], pick), pick))
            found.append(Sample("own", f"own-{number}", row["class"], around(prompt, row["class"], pick)))
    return found


OPTION_MARKS = [["- "] * 10, [f"({c}) " for c in "ABCDEFGHIJ"], [f"{c}. " for c in "ABCDEFGHIJ"], [f"{c}) " for c in "abcdefghij"]]
BEFORE_OPTIONS = ["", "", "", "Options:\n", "Choices:\n", "Choose one:\n"]
BEFORE_QUESTION = [
    "", "", "", "", "Question: ", "Q: ", "Answer the following multiple choice question.\n\n", "Choose the correct option. ",
    "Think step by step, then give the letter of your answer.\n", "Please answer this question with the letter only.\n",
]  # fmt: skip
AFTER_OPTIONS = ["", "", "", "\nAnswer:", "\nGive the letter only.", "\nThe answer is"]


def with_options(prompt: str, pick: random.Random) -> str:
    """`question || a|b|c` with its options written out in one of many ways, of which none says anything
    of the class; sometimes without them."""
    question, found, rest = prompt.partition(" || ")
    options = rest.split("|")
    if not found or pick.random() < 0.15:
        return question
    pick.shuffle(options)
    question = pick.choice(BEFORE_QUESTION) + question
    if pick.random() < 0.25:
        return question + " " + pick.choice(["", "Options: ", "Choose from: "]) + pick.choice([", ", " / ", "; "]).join(options)
    lines = [mark + option for mark, option in zip(pick.choice(OPTION_MARKS), options)]
    return question + "\n" + pick.choice(BEFORE_OPTIONS) + "\n".join(lines) + pick.choice(AFTER_OPTIONS)


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


def load(folder: Path, seed: int, big_bench: Path | None = None) -> list[Sample]:
    """Every labelled prompt; `big_bench` is a file of `big_bench.py`."""
    found = own(seed)
    for row in rows(big_bench.parent, big_bench.name.removesuffix(".jsonl.gz")) if big_bench else []:
        found += sample("big-bench", row["task"], row["class"], row["prompt"])
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
    # What BIG-bench has of the same passages or puzzles.
    alike = {"t0": r"gem/|social_iqa|quoref|cosmos|qasc|ropes", "llmrouter": "common_gen|logic_grid", "routellm": "logic_grid"}

    def overlaps(s: Sample) -> bool:
        if s.source == "big-bench":
            return held_out in alike and bool(re.search(alike[held_out], s.group))
        if held_out == "llmrouter" and s.source == "t0" and s.group.startswith(shared):
            return True
        return held_out == "t0" and s.source == "llmrouter" and s.group in ("commonsense_qa", "commongen")

    return [s for s in samples if s.source not in family and not overlaps(s)]
