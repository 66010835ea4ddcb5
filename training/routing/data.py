"""The outcome sets, and which of their prompts are near-duplicates of each other."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from training import features

# USD per million tokens, input and output alike: the candidate table of ulab-uiuc/LLMRouter
# (llmrouter/data/example_data/llm_candidates/default_llm.json).
PRICES = {
    "codegemma-7b": 0.2, "gemma-2-9b-it": 0.1, "llama-3.1-8b-instruct": 0.2,
    "llama-3.1-nemotron-51b-instruct": 0.9, "llama-3.3-nemotron-super-49b-v1": 0.9,
    "llama3-chatqa-1.5-70b": 0.9, "llama3-chatqa-1.5-8b": 0.2,
    "mistral-7b-instruct-v0.3": 0.2, "qwen2.5-7b-instruct": 0.2,
}  # fmt: skip

# Name, file, and the field that says what part of the benchmark a prompt is of.
FILES = [("mmlu", "routellm-mmlu", "subject"), ("gsm8k", "routellm-gsm8k", ""), ("multi", "llmrouter-multimodel", "task")]

# A shingle of three words that more prompts than this have says nothing: "which of the".
COMMON = 40
# Prompts that share this part of the shingles of the shorter one are kept in one fold.
NEAR = 0.5


@dataclass
class Outcomes:
    """Prompts of one benchmark: `x` their features, `part` their subject or task, `group` equal for
    near-duplicates, `y` the outcomes: columns strong and weak, or one per model."""

    name: str
    prompts: list[str]
    part: np.ndarray
    y: np.ndarray
    x: csr_matrix
    group: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    @property
    def length(self) -> np.ndarray:
        return np.array([len(prompt) for prompt in self.prompts], float)


def rows(folder: Path, name: str) -> list[dict]:
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def load(folder: Path) -> dict[str, Outcomes]:
    """`mmlu`, `gsm8k` and `multi`, with groups that span all three."""
    found = {}
    for name, file, part in FILES:
        records = rows(folder, file)
        prompts = [record["prompt"] for record in records]
        if name == "multi":
            outcome = [[record["scores"][model] for model in PRICES] for record in records]
        else:
            outcome = [[record["strong_correct"], record["weak_correct"]] for record in records]
        x = features.matrix([features.of_prompt(prompt) for prompt in prompts])
        parts = np.array([record.get(part, name) for record in records])
        found[name] = Outcomes(name, prompts, parts, np.array(outcome, float), x)
        print(f"read {name}: {len(prompts)} prompts", flush=True)
    groups = near_duplicates([prompt for outcomes in found.values() for prompt in outcomes.prompts])
    for outcomes in found.values():
        outcomes.group, groups = groups[: len(outcomes.prompts)], groups[len(outcomes.prompts) :]
    return found


def near_duplicates(prompts: list[str]) -> np.ndarray:
    """A number per prompt, equal for prompts that are linked by near-duplicates."""
    names: dict[tuple[str, ...], int] = {}
    starts, columns = [0], []
    for prompt in prompts:
        words = re.findall(r"\w+", prompt.lower())
        shingles = set(zip(words, words[1:], words[2:])) or {tuple(words)}
        columns.extend(names.setdefault(shingle, len(names)) for shingle in shingles)
        starts.append(len(columns))
    x = csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=(len(prompts), len(names)))
    x = x[:, np.asarray(x.sum(0)).ravel() <= COMMON]
    size = np.asarray(x.sum(1)).ravel()
    shared = (x @ x.T).tocoo()
    near = shared.data >= NEAR * np.maximum(np.minimum(size[shared.row], size[shared.col]), 1)
    links = csr_matrix((near[near], (shared.row[near], shared.col[near])), shape=shared.shape)
    return connected_components(links, directed=False)[1]
