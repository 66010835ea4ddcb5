"""BIG-bench's tasks, from the source package `bigbench` of PyPI: prompts to train on.

python -m training.task_class.big_bench bigbench-1.0.0.tar.gz big-bench.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tarfile
from collections import Counter

from training.task_class import labels

# Examples of a subtask, and of a task.
SUBTASK, TASK = 30, 120
LONGEST = 3000


def prompt(task: dict, example: dict, pick: random.Random) -> str:
    """An example as it could be asked: with or without the task's introduction, its options written out
    in one of the usual ways."""
    intro = (task.get("task_prefix") or "").strip()[:600]
    lead, ask = (task.get(key) or "" for key in ("example_input_prefix", "example_output_prefix"))
    text = example["input"]
    options = list(example.get("target_scores") or {})[:10]
    if options and task.get("append_choices_to_input", True):
        marks = pick.choice([["- "] * 10, ["choice: "] * 10, [f"({c}) " for c in "ABCDEFGHIJ"], [f"{c}. " for c in "ABCDEFGHIJ"]])
        pick.shuffle(options)
        text += "\n" + pick.choice(["", "", "Options:\n", "Choices:\n"])
        text += "\n".join(mark + option for mark, option in zip(marks, options))
    if pick.random() < 0.6:
        text = lead.lstrip("\n") + text + ask
    if intro and pick.random() < 0.8:
        text = intro + "\n\n" + text
    return text.strip()[:LONGEST]


def prompts(package: str):
    """(task, class, prompt) of every task that has a class."""
    seen, counts = set(), Counter()
    pick = random.Random(0)
    with tarfile.open(package, "r|gz") as archive:
        for member in archive:
            if not member.name.endswith("/task.json"):
                continue
            name = member.name.split("benchmark_tasks/")[-1].removesuffix("/task.json")
            label, top = labels.big_bench(name), name.split("/")[0]
            if label is None or name in seen:
                continue
            seen.add(name)
            task = json.load(archive.extractfile(member))
            examples = [e for e in task.get("examples", []) if isinstance(e.get("input"), str) and e["input"].strip()]
            pick.shuffle(examples)
            for example in examples[: min(SUBTASK, TASK * (10 if top in labels.MANY else 1) - counts[top])]:
                counts[top] += 1
                yield name, label, prompt(task, example, pick)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package")
    parser.add_argument("output")
    arguments = parser.parse_args()
    with gzip.open(arguments.output, "wt", encoding="utf-8") as file:
        for task, label, text in prompts(arguments.package):
            file.write(json.dumps({"task": task, "class": label, "prompt": text}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
