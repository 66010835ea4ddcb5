"""Which of nine models to call: five-fold cross-validation, and with each task left out in turn.

    python -m training.routing.multi_model --data DIR [--seeds 3]
"""

from __future__ import annotations

import argparse
import itertools
import time
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, Ridge

from training import features
from training.features import CLASSES
from training.routing import data, heads, metrics
from training.task_class import data as task_data
from training.task_class import model as task_model
from training.task_class.labels import LLMROUTER

MODELS = list(data.PRICES)
PRICE = np.array(list(data.PRICES.values()))
DRAWS = 1000
SHIPS = "**ships**: class table, class inferred"
WEIGHED = "class table weighed by the class's probability (not in the filter)"
TOLD = "**ships**: class table, class told by `route.task_class`"
# What a dollar per million tokens costs in quality; the options of inner cross-validation.
LAMBDAS = (0.0, 0.01, 0.02, 0.05)
# Shares of the best single model's price that the targets allow.
MOST = {"cv": 0.8, "task": 0.95}
# The filter's weight of a class's figure against the model's default.
KAPPA = 0.8
# Inverse regularisation of the class head: the middle of what `task_class` tries.
CLASS_STRENGTH = 3.0


def int8(table: np.ndarray) -> np.ndarray:
    unit = np.abs(table).max() / 127
    return np.round(table / unit) * unit


def inferred_classes(folder: Path, x) -> tuple[np.ndarray, np.ndarray]:
    """The class of each prompt and its probability by a head like the filter's that saw nothing of
    this set, nor of RouteLLM's: what it would say of a benchmark unknown to it."""
    samples = task_data.trained_without(task_data.load(folder, 0), "llmrouter")
    known = features.matrix([features.extract(sample.evidence) for sample in samples])
    table, bias = task_model.fit(known, samples, task_model.Setting(4.0, CLASS_STRENGTH), 0)
    rounded, _, step = task_model.quantise(table, bias)
    score = x @ (rounded * step) + bias
    score[:, CLASSES.index("tools")] = -np.inf
    likely = softmax(score, axis=1)
    return likely.argmax(1), likely.max(1)


class ByLength:
    """Mean outcomes of tenths of the prompts' lengths."""

    OPTIONS = [()]

    def __init__(self, found, train):
        self.length = found.length
        self.edges = np.quantile(self.length[train], np.linspace(0, 1, 11)[1:-1])
        tenth = np.searchsorted(self.edges, self.length[train])
        self.means = np.array([found.y[train][tenth == each].mean(0) for each in range(10)])

    def quality(self, rows, _):
        return self.means[np.searchsorted(self.edges, self.length[rows])]


class ClassTable:
    """The filter's figure: the model's mean over the tasks of a class, shrunk to its mean over all prompts."""

    def __init__(self, found, train, classes, sure):
        self.classes, self.sure = classes, sure
        self.default = default = found.y[train].mean(0)
        of_class: dict[int, list[np.ndarray]] = {}
        for task in np.unique(found.part[train]):
            of_class.setdefault(CLASSES.index(LLMROUTER[task]), []).append(found.y[train][found.part[train] == task].mean(0))
        self.table = np.tile(default, (len(CLASSES), 1))
        for label, means in of_class.items():
            self.table[label] += KAPPA * (np.mean(means, axis=0) - default)

    def quality(self, rows):
        return self.default + self.sure[rows, None] * (self.table[self.classes[rows]] - self.default)


class LinearHeads:
    """A linear classifier of the task, the table of tasks it weighs, and a linear head per model for
    what the table leaves over; all int8."""

    OPTIONS = list(itertools.product((30.0, 300.0), (20.0, 40.0)))

    def __init__(self, found, train):
        self.found, self.train = found, train
        _, self.task = np.unique(found.part[train], return_inverse=True)
        self.table = np.array([found.y[train][self.task == each].mean(0) for each in range(self.task.max() + 1)])

    @cache
    def tasks(self, strength):
        model = LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(self.found.x[self.train], self.task)
        return int8(model.coef_.T), model.intercept_

    @cache
    def rest(self, alpha):
        left = self.found.y[self.train] - self.table[self.task]
        model = Ridge(alpha, solver="sparse_cg", tol=1e-4).fit(self.found.x[self.train], left)
        return int8(model.coef_.T), model.intercept_

    def quality(self, rows, option):
        x = self.found.x[rows]
        weights, bias = self.tasks(option[0])
        likely = softmax(x @ weights + bias, axis=1)
        weights, bias = self.rest(option[1])
        return likely @ self.table + x @ weights + bias


def splits(found, rows, protocol: str, folds: int, seed: int):
    """Training and test rows among `rows`."""
    if protocol == "task":
        for task in np.unique(found.part[rows]):
            test = rows[found.part[rows] == task]
            train = rows[found.part[rows] != task]
            yield train[~np.isin(found.group[train], found.group[test])], test
    else:
        for train, test in heads.GroupKFold(folds, shuffle=True, random_state=seed).split(rows, groups=found.group[rows]):
            yield rows[train], rows[test]


def picks(found, make, options, protocol: str, seed: int) -> np.ndarray:
    """The model for each prompt. What to pay for quality, and the router's own option, are those that
    were most accurate at an allowed price in inner splits of the training rows, by the same protocol."""
    rows = np.arange(len(found.y))
    picked = np.zeros(len(rows), int)
    for train, test in splits(found, rows, protocol, 5, seed):
        candidates = list(itertools.product(options, LAMBDAS))
        inner = {candidate: np.zeros(len(rows), int) for candidate in candidates}
        for learn, check in splits(found, train, protocol, 3, seed):
            router = make(found, learn)
            for option, price in candidates:
                inner[option, price][check] = (router.quality(check, option) - price * PRICE).argmax(1)
        best = found.y[train].mean(0).argmax()

        def worth(candidate):
            choice = inner[candidate][train]
            paid = PRICE[choice].mean() / PRICE[best]
            return (min(MOST[protocol] - paid, 0), found.y[train, choice].mean())

        option, price = max(candidates, key=worth)
        print(f"  {make.__name__}, {protocol}, seed {seed}: {option}, {price:g} a dollar", flush=True)
        picked[test] = (make(found, train).quality(test, option) - price * PRICE).argmax(1)
    return picked


def by_class(found, classes, sure, ties: float, protocol: str, seed: int) -> np.ndarray:
    """The model for each prompt by the filter's objective `quality`: the best figure, and of those
    within `ties` of it the cheapest. `sure` is what the class's figure counts for, before KAPPA."""
    picked = np.zeros(len(found.y), int)
    for train, test in splits(found, np.arange(len(found.y)), protocol, 5, seed):
        quality = ClassTable(found, train, classes, sure).quality(test)
        near = quality >= quality.max(1, keepdims=True) - ties
        picked[test] = np.lexsort((-quality, np.where(near, PRICE, np.inf)), axis=1)[:, 0]
    return picked


def random_mix(single: np.ndarray, paid: float) -> float:
    """The best accuracy that mixing single models at random reaches at this price."""
    best = 0.0
    for a, b in itertools.product(range(len(MODELS)), repeat=2):
        if PRICE[a] <= paid < PRICE[b]:
            share = (paid - PRICE[a]) / (PRICE[b] - PRICE[a])
            best = max(best, (1 - share) * single[a] + share * single[b])
    return best


def table(title: str, found, routers: dict[str, list[np.ndarray]]) -> None:
    """Means over seeds; intervals by a bootstrap over groups, each draw with the picks of one seed."""
    rows = np.arange(len(found.y))
    single = found.y.mean(0)
    best = single.argmax()
    weights = metrics.resamples(found.group, DRAWS, seed=0)
    weights /= weights.sum(1, keepdims=True)
    cost = found.length
    print(f"\n{title}\n\n| router | accuracy (95 %) | price | price by prompt length", end="")
    print(" | over the best single (95 %) | over a random mix of that price |\n|---|---|---|---|---|---|")
    for router, seeds in routers.items():
        outcome = np.array([found.y[rows, pick] for pick in seeds])
        accuracy, paid = outcome.mean(), np.mean([PRICE[pick].mean() for pick in seeds])
        long = np.mean([(PRICE[pick] * cost).sum() / cost.sum() for pick in seeds])
        mix = "" if len(np.unique(seeds[0])) == 1 else f"{accuracy - random_mix(single, paid):+.3f}"
        both = [np.column_stack([each, found.y[:, best]]) for each in outcome]
        drawn = np.array([weights[i] @ both[i % len(seeds)] for i in range(DRAWS)])
        low, high = metrics.interval(drawn[:, 0])
        worse, better = metrics.interval(drawn[:, 0] - drawn[:, 1])
        print(
            f"| {router} | {accuracy:.4f} ({low:.3f} .. {high:.3f}) | {paid / PRICE[best]:.1%} | {long / PRICE[best]:.1%} "
            f"| {accuracy - single[best]:+.4f} ({worse:+.3f} .. {better:+.3f}) | {mix} |",
            flush=True,
        )


def by_task(found, pick: np.ndarray) -> None:
    """Each left-out task: the best single model over all tasks, and what the router made of it."""
    best = found.y.mean(0).argmax()
    print("\n| task left out | prompts | best single | router (95 % of the difference) | price |\n|---|---|---|---|---|")
    for task in np.unique(found.part):
        rows = np.flatnonzero(found.part == task)
        difference = found.y[rows, pick[rows]] - found.y[rows, best]
        weights = metrics.resamples(found.group[rows], DRAWS, seed=0)
        low, high = metrics.interval(weights @ difference / weights.sum(1))
        print(
            f"| {task} | {len(rows)} | {found.y[rows, best].mean():.3f} "
            f"| {found.y[rows, pick[rows]].mean():.3f} ({low:+.3f} .. {high:+.3f}) | {PRICE[pick[rows]].mean() / PRICE[best]:.0%} |"
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--seeds", type=int, default=3)
    options = arguments.parse_args()
    started = time.monotonic()
    found = data.load(options.data)["multi"]
    inferred, likely = inferred_classes(options.data, found.x)
    told = np.array([CLASSES.index(LLMROUTER[task]) for task in found.part])
    print(f"class inferred as labelled: {np.mean(inferred == told):.3f} of the prompts", flush=True)

    single = {"best single model (llama-3.1-nemotron-51b)": [np.full(len(told), found.y.mean(0).argmax())]}
    assert MODELS[found.y.mean(0).argmax()] == "llama-3.1-nemotron-51b-instruct"

    sure = np.ones(len(told))

    def rows(protocol: str, seeds, heads_options) -> dict[str, list[np.ndarray]]:
        return single | {
            "prompt length only": [picks(found, ByLength, ByLength.OPTIONS, protocol, seed) for seed in seeds],
            SHIPS: [by_class(found, inferred, sure, 0.01, protocol, seed) for seed in seeds],
            "the same without ties to the cheaper": [by_class(found, inferred, sure, 0.0, protocol, seed) for seed in seeds],
            WEIGHED: [by_class(found, inferred, likely, 0.01, protocol, seed) for seed in seeds],
            TOLD: [by_class(found, told, sure, 0.01, protocol, seed) for seed in seeds],
            "linear heads on the filter's features": [picks(found, LinearHeads, heads_options, protocol, seed) for seed in seeds],
        }

    table("Five-fold cross-validation", found, rows("cv", range(options.seeds), LinearHeads.OPTIONS))
    left_out = rows("task", [0], LinearHeads.OPTIONS[:1])
    table("Each task left out", found, left_out)
    for router in (SHIPS, WEIGHED, TOLD):
        print(f"\n{router}:")
        by_task(found, left_out[router][0])
    print(f"\n{options.seeds} seeds, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
