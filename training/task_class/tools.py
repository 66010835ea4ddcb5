"""How often the wish for a tool is recognised, where tools are offered.

python -m training.task_class.tools --data DIR
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold

from training.features import CLASSES, extract, matrix
from training.task_class import data
from training.task_class.model import TOOLS_PRIOR, Setting, fit, once_offered, quantise
from training.task_class.train import RESAMPLES, SETTINGS, interval

TOOLS = CLASSES.index("tools")
FOLDS = 3
# What of the public sets is trained on too; the large ones say nothing of tools and take long.
SMALL = {"arena-hard", "llmrouter", "self-instruct", "vicuna"}


def found(samples, features, offered, setting: Setting, prior: float, seed: int) -> np.ndarray:
    """For each prompt of our own, whether it was taken for one that wants a tool by a model that saw no other of its
    template; `offered` has their features with tools offered."""
    own = np.array([number for number, s in enumerate(samples) if s.source == "own"])
    others = np.array([number for number, s in enumerate(samples) if s.source in SMALL])
    answers = np.zeros(len(own), bool)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(own, groups=[samples[number].group for number in own]):
        rows = np.concatenate([own[train], others])
        table, bias = fit(features[rows], [samples[number] for number in rows], setting, seed)
        once_offered(table, bias, prior)
        table, bias, _ = quantise(table, bias)
        scores = np.asarray(offered[test] @ table.astype(float)) + bias / 256.0
        answers[test] = scores.argmax(axis=1) == TOOLS
    return answers


def share(hits: np.ndarray, groups: np.ndarray, rng) -> list[float]:
    """The share of hits and its 95 % interval over resamples of whole templates."""
    _, member = np.unique(groups, return_inverse=True)
    hit, size = np.bincount(member, hits), np.bincount(member)
    draws = rng.integers(0, len(size), (RESAMPLES, len(size)))
    return interval(hits.mean(), hit[draws].sum(1) / size[draws].sum(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("ROUTING_DATA"), help="folder of the public sets; or $ROUTING_DATA")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--setting", type=float, nargs=2, default=SETTINGS[-1], help="own share and strength")
    parser.add_argument("--prior", type=float, default=TOOLS_PRIOR, help="log-odds in favour of tools once they are offered")
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("--data or $ROUTING_DATA")
    samples = [s for s in data.load(Path(arguments.data), arguments.seed) if s.source in SMALL | {"own"}]
    own = [s for s in samples if s.source == "own"]
    with Pool() as pool:
        features = matrix(pool.map(extract, [s.evidence for s in samples], chunksize=500))
        # Offered to all when it is asked, or the offer would be the answer.
        offered = matrix(pool.map(extract, [replace(s.evidence, tools=True) for s in own], chunksize=500))
    answers = found(samples, features, offered, Setting(*arguments.setting), arguments.prior, arguments.seed)
    wants = np.array([s.label == "tools" for s in own])
    groups = np.array([s.group for s in own])
    rng = np.random.default_rng(arguments.seed)
    for name, of in (("found of those that want a tool", wants), ("of the others taken for one", ~wants)):
        print(json.dumps({name: share(answers[of], groups[of], rng), "prompts": int(of.sum()), "templates": len(set(groups[of]))}))


if __name__ == "__main__":
    main()
