"""The difficulty head that the filter embeds, trained on all outcome sets.

    python -m training.routing.difficulty --data DIR [--out training/routing/model.npz]

Writes `weights` (one per row of `training.features`) and `bias`, such that
1 / (1 + exp(-(x @ weights + bias))) is the chance that a weak model fails where a strong one succeeds.
How good it is says `strong_weak.py`, in its rows named "ships": the same heads, cross-validated.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.special import expit
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression

from training import features
from training.routing import data, heads, strong_weak
from training.routing.heads import Head

TARGETS = ["mmlu", "gsm8k"]
PROBES = [
    "Hi! How are you today?",
    "What is the capital of France?",
    "Translate to German: The weather is nice.",
    "A train leaves at 3 pm at 60 km/h and another at 4 pm at 90 km/h. When does the second catch up, "
    "if it stops for 10 minutes after every 45 km and the first loses 5% of its speed each hour?",
    "Let G be a finite group of order 2p. Prove that G is cyclic or dihedral.",
]


def calibrated(pool, head: Head, recipe, seed: int) -> Head:
    """The head scaled to a logit: a line from out-of-fold scores to whether only the strong answered
    right. Both benchmarks weigh alike and the offset is midway between theirs."""
    scores = heads.out_of_fold(pool, TARGETS, lambda train: heads.fit(train, recipe), 5, seed)
    score = np.concatenate([scores[name] for name in TARGETS])
    only_strong = np.concatenate([pool[name].gain > 0 for name in TARGETS])
    weight = np.concatenate([np.full(len(pool[name].gain), 1 / len(pool[name].gain)) for name in TARGETS])
    second = np.concatenate([np.full(len(pool[name].gain), float(name == TARGETS[1])) for name in TARGETS])
    line = LogisticRegression(C=1e6).fit(np.column_stack([score, second]), only_strong, sample_weight=weight * len(score))
    slope, apart = line.coef_[0]
    offset = float(line.intercept_[0]) + apart / 2
    for name, own in zip(TARGETS, (-apart / 2, apart / 2)):
        chance, truth = expit(slope * scores[name] + offset + own), pool[name].gain > 0
        brier, plain = np.mean((chance - truth) ** 2), truth.mean() * (1 - truth.mean())
        print(f"  {name}: only strong right {truth.mean():.3f}, Brier {brier:.4f} with its own offset, of a constant {plain:.4f}")
    return Head(head.weights * slope, head.bias * slope + offset)


def integer_scores(prompts: list[str], head: Head) -> np.ndarray:
    """Logits by the filter's integer arithmetic."""
    step = np.abs(head.weights).max() / 127
    table, bias = np.rint(head.weights / step).astype(int)[:, None], [round(head.bias / step * 256)]
    return np.array([features.score(features.of_prompt(prompt), table, bias)[0] for prompt in prompts]) * step / 256


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "model.npz")
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    started = time.monotonic()
    found = data.load(options.data)
    pool = strong_weak.pool_of(found)
    recipe = heads.choose(pool, TARGETS, strong_weak.ALL_FILES, options.seed, folds=5)
    print(f"chosen by cross-validation: {recipe}", flush=True)
    head = calibrated(pool, heads.fit(pool, recipe), recipe, options.seed)
    np.savez_compressed(options.out, weights=head.weights.astype(np.float32), bias=np.float32(head.bias))

    for name, outcomes in found.items():
        chance = expit(head.quantised()(outcomes.x))
        ranks = spearmanr(head(outcomes.x), head.quantised()(outcomes.x)).statistic
        shares = " ".join(f"{value:.2f}" for value in np.percentile(chance, [5, 25, 50, 75, 95]))
        exact = integer_scores(outcomes.prompts[::20], head)
        off = np.abs(exact - head(outcomes.x[::20])).max()
        print(f"{name}: difficulty at 5, 25, 50, 75, 95 %: {shares}")
        print(f"  int8 rank correlation {ranks:.4f}; integer logits off by at most {off:.3f}")
    for prompt, logit in zip(PROBES, integer_scores(PROBES, head)):
        print(f"{expit(logit):.2f}  {prompt[:80]}")
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
