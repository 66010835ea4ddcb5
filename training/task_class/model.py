"""Fits and quantises the linear model."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from training.features import CLASSES, ROWS, SHAPE_ROW, SHAPE_WEIGHT
from training.task_class.data import Sample


# How much a prompt of BIG-bench counts against one of another public set: its tasks are like nothing users write.
BIG_BENCH_SHARE = 0.5


class Setting(NamedTuple):
    """What is chosen by evaluation: how much more our own prompts, written as users write, count than as
    many of a public set; and the inverse of the regularisation."""

    own_share: float
    strength: float


def weights(samples: list[Sample], own_share: float) -> np.ndarray:
    """Weight of each sample: classes count alike, and within a class large sets less than their size."""
    sizes = Counter((s.source, s.label) for s in samples)
    shares = {"own": own_share, "big-bench": BIG_BENCH_SHARE}
    share = {key: shares.get(key[0], 1) * size**0.5 for key, size in sizes.items()}
    whole = Counter()
    for (_, label), part in share.items():
        whole[label] += part
    keys = [(s.source, s.label) for s in samples]
    found = np.array([share[key] / sizes[key] / whole[key[1]] for key in keys])
    return found * len(samples) / found.sum()


def fit(matrix, samples: list[Sample], setting: Setting, seed: int):
    """(weights [rows][classes], bias [classes]) of a multinomial logistic regression."""
    model = LogisticRegression(C=setting.strength, max_iter=100, tol=3e-3, random_state=seed)
    model.fit(matrix, [CLASSES.index(s.label) for s in samples], sample_weight=weights(samples, setting.own_share))
    table, bias = np.zeros((ROWS, len(CLASSES))), np.full(len(CLASSES), -8.0)
    table[:, model.classes_] = model.coef_.T
    bias[model.classes_] = model.intercept_
    # What all classes share decides nothing; without it the int8 range is used better.
    table -= table.mean(axis=1, keepdims=True)
    return table, bias


# Log-odds that tools are wanted once they are offered, beyond those in the training data, where every class
# counts alike.
TOOLS_PRIOR = 1.0


def once_offered(table: np.ndarray, bias: np.ndarray, prior: float = TOOLS_PRIOR) -> None:
    """Makes the offer of tools a part of the bias of `tools`, which is asked for only where they are offered. As a weight
    it is many times the largest of the others, and would be cut to theirs."""
    column, row = CLASSES.index("tools"), SHAPE_ROW["tools"]
    bias[column] += SHAPE_WEIGHT * table[row, column] + prior
    table[row, column] = 0.0


def quantise(table: np.ndarray, bias: np.ndarray):
    """(int8 weights, int32 bias in 1/256 steps, the step): the few largest weights are cut."""
    step = float(np.quantile(np.abs(table[table != 0]), 0.9995)) / 127
    rounded = np.clip(np.rint(table / step), -127, 127).astype(np.int8)
    return rounded, np.rint(bias / step * 256).astype(np.int32), step
