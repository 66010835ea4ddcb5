"""Linear heads over the filter's features: fitted, chosen by inner cross-validation, rounded to int8."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from training.routing import metrics


@dataclass
class Set:
    """Prompts and what the strong and the weak answer were worth. Gains are compared within a
    `level` only: what a whole benchmark or answer format adds says nothing of a prompt."""

    x: csr_matrix
    strong: np.ndarray
    weak: np.ndarray
    group: np.ndarray
    level: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        return self.strong - self.weak

    def take(self, rows) -> "Set":
        return Set(self.x[rows], self.strong[rows], self.weak[rows], self.group[rows], self.level[rows])


Pool = dict[str, Set]


@dataclass(frozen=True)
class Recipe:
    """The ridge penalty, and what each set weighs, by name; one is the default."""

    alpha: float
    shares: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        return f"alpha {self.alpha:g}" + "".join(f", {name} x{share:g}" for name, share in self.shares)


def recipes(alphas, **shares) -> list[Recipe]:
    names = list(shares)
    return [Recipe(alpha, tuple(zip(names, chosen))) for alpha, *chosen in itertools.product(alphas, *shares.values())]


@dataclass(frozen=True)
class Head:
    weights: np.ndarray
    bias: float

    def __call__(self, x) -> np.ndarray:
        return x @ self.weights + self.bias

    def quantised(self) -> "Head":
        """What int8 weights leave of it."""
        unit = np.abs(self.weights).max() / 127
        return replace(self, weights=np.round(self.weights / unit) * unit)


def fit(pool: Pool, recipe: Recipe) -> Head:
    """Ridge regression of the gain, strong - weak: no order of strong calls is better than by it."""
    shares = {name: dict(recipe.shares).get(name, 1.0) for name in pool}
    pool = {name: each for name, each in pool.items() if shares[name] > 0 and len(each.gain)}
    scale = sum(len(each.gain) for each in pool.values()) / sum(shares[name] for name in pool)
    weight = np.concatenate([np.full(len(each.gain), shares[name] * scale / len(each.gain)) for name, each in pool.items()])
    gain = np.concatenate([centred(each.gain, each.level) for each in pool.values()])
    model = Ridge(recipe.alpha, solver="sparse_cg", tol=1e-4)
    model.fit(vstack([each.x for each in pool.values()]).tocsr(), gain, sample_weight=weight)
    return Head(model.coef_.astype(float), float(model.intercept_))


def centred(values: np.ndarray, level: np.ndarray) -> np.ndarray:
    _, index = np.unique(level, return_inverse=True)
    return values - (np.bincount(index, values) / np.bincount(index))[index]


def split(pool: Pool, folds: int, seed: int):
    """Training and test pools; near-duplicates share a fold, in whichever set they are."""
    groups = np.unique(np.concatenate([each.group for each in pool.values()]))
    for _, test in GroupKFold(folds, shuffle=True, random_state=seed).split(groups, groups=groups):
        held = {name: np.isin(each.group, groups[test]) for name, each in pool.items()}
        yield {name: each.take(~held[name]) for name, each in pool.items()}, held


def out_of_fold(pool: Pool, targets, head_of, folds: int, seed: int) -> dict[str, np.ndarray]:
    """Scores of the targets' prompts by heads that never saw them; `head_of` makes one of a pool."""
    scores = {name: np.zeros(len(pool[name].gain)) for name in targets}
    for train, held in split(pool, folds, seed):
        head = head_of(train)
        for name in targets:
            scores[name][held[name]] = head(pool[name].x[held[name]])
    return scores


def choose(pool: Pool, targets, options: list[Recipe], seed: int, folds: int = 3) -> Recipe:
    """The recipe of the best mean APGR over the targets in cross-validation inside this pool."""

    def quality(recipe: Recipe) -> float:
        scores = out_of_fold(pool, targets, lambda train: fit(train, recipe), folds, seed)
        return np.mean([metrics.measure(scores[name], pool[name].strong, pool[name].weak)[0] for name in targets])

    return max(options, key=quality)


def nested(pool: Pool, targets, options: list[Recipe], seed: int, folds: int = 5) -> dict[str, np.ndarray]:
    """Out-of-fold scores of int8 heads, each with the recipe its own training rows chose."""

    def head_of(train: Pool) -> Head:
        recipe = choose(train, targets, options, seed)
        print(f"  {'+'.join(pool)}, seed {seed}: {recipe}", flush=True)
        return fit(train, recipe).quantised()

    return out_of_fold(pool, targets, head_of, folds, seed)
