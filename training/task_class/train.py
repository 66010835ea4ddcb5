"""Evaluates the task-class model on sets it has not seen, and trains it on all of them.

python -m training.task_class.train --data DIR
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from training.features import CLASSES, SHAPE_ROW, extract, matrix
from training.task_class import data
from training.task_class.labels import FIVE
from training.task_class.model import Setting, fit, once_offered, quantise

HERE = Path(__file__).parent
# What is tried. The setting used for a set is the one best for the *other* sets.
SETTINGS = [Setting(own_share, strength) for own_share in (10, 20) for strength in (2.0, 4.0)]
RESAMPLES = 1000


def macro_f1(gold: np.ndarray, found: np.ndarray) -> float:
    """Mean F1 over the classes that occur in `gold`."""
    scores = []
    for label in np.unique(gold):
        hits = np.sum((gold == label) & (found == label))
        scores.append(2 * hits / (np.sum(gold == label) + np.sum(found == label)))
    return float(np.mean(scores))


def resampled(gold, found, groups, rng) -> np.ndarray:
    """Macro-F1 of bootstrap resamples of whole groups: prompts of one template are not independent."""
    members = defaultdict(list)
    for place, group in enumerate(groups):
        members[group].append(place)
    members = [np.array(places) for places in members.values()]
    if len(members) < 40:  # few tasks: prompts are resampled within their task, tasks stay
        draws = lambda: np.concatenate([rng.choice(places, len(places)) for places in members])
    else:
        draws = lambda: np.concatenate([members[pick] for pick in rng.integers(0, len(members), len(members))])
    return np.array([macro_f1(gold[draw], found[draw]) for draw in (draws() for _ in range(RESAMPLES))])


def classify(features, table, bias, tools) -> np.ndarray:
    """The class of each row; `tools` only where tools are offered, as in the filter."""
    scores = np.asarray(features @ table) + bias
    scores[~tools, CLASSES.index("tools")] = -np.inf
    return scores.argmax(axis=1)


class Evaluation:
    """Macro-F1 with intervals, set by set."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.rows: dict[str, dict] = {}
        self.draws: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
        self.points: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, name: str, samples, answers: dict[str, np.ndarray], setting: Setting) -> None:
        groups = [s.group for s in samples]
        gold = gold_of(samples)
        five = np.array([FIVE[label] for label in CLASSES])
        row = {"prompts": len(samples), "classes": len(set(gold.tolist())), **setting._asdict()}
        for method, found in answers.items():
            for merged, (a, b) in {"11": (gold, found), "5": (five[gold], five[found])}.items():
                point, draws = macro_f1(a, b), resampled(a, b, groups, self.rng)
                row[f"{method}/{merged}"] = interval(point, draws)
                self.points[method, merged].append(point)
                self.draws[method, merged].append(draws)
        row["recall"] = {
            CLASSES[c]: f"{np.sum((gold == c) & (answers['model'] == c))}/{np.sum(gold == c)}" for c in np.unique(gold)
        }
        self.rows[name] = row
        print(json.dumps({name: row}), flush=True)

    def mean(self) -> dict:
        return {
            f"{method}/{merged}": interval(float(np.mean(points)), np.mean(self.draws[method, merged], axis=0))
            for (method, merged), points in self.points.items()
        }


def interval(point: float, draws: np.ndarray) -> list[float]:
    """A figure and its 95 % interval."""
    return [round(float(value), 3) for value in (point, *np.quantile(draws, [0.025, 0.975]))]


def length_only(columns):
    """The features that say how long the prompt is and nothing else."""
    start = SHAPE_ROW["user_length"]
    return columns[:, start : start + 10]


def held_out(samples, features, name: str, seed: int) -> dict:
    """Answers for one set, by models trained without it: one a setting, and the length alone."""
    place = {id(s): number for number, s in enumerate(samples)}
    train, test = data.trained_without(samples, name), [s for s in samples if s.source == name]
    inside, outside = np.array([place[id(s)] for s in train]), np.array([place[id(s)] for s in test])
    tools = np.array([s.evidence.tools for s in test])
    answers = {}
    for setting in SETTINGS:
        table, bias, _ = quantise(*fit(features[inside], train, setting, seed))
        answers[setting] = classify(features[outside], table.astype(float), bias / 256.0, tools)
    short = length_only(features)
    length = LogisticRegression(max_iter=200, class_weight="balanced")
    answers["length"] = length.fit(short[inside], [CLASSES.index(s.label) for s in train]).predict(short[outside])
    print(f"{name}: {len(train)} to train on", flush=True)
    return answers


def evaluate(samples, features, seed: int) -> tuple[dict, Setting]:
    """Holds out every public set in turn; the results, and the setting that is best over all sets."""
    evaluation = Evaluation(seed)
    names = sorted({s.source for s in samples} - {"own", "big-bench"})
    with Pool() as pool:
        answers = dict(zip(names, pool.starmap(held_out, [(samples, features, name, seed) for name in names], chunksize=1)))
    tests = {name: [s for s in samples if s.source == name] for name in names}
    merged = np.array([FIVE[label] for label in CLASSES])
    quality = {
        (name, setting): macro_f1(merged[gold_of(tests[name])], merged[answers[name][setting]])
        for name in names
        for setting in SETTINGS
    }

    def best(sets: list[str]) -> Setting:
        return max(SETTINGS, key=lambda setting: sum(quality[name, setting] for name in sets))

    for name in names:
        setting = best([other for other in names if other != name])
        random = evaluation.rng.integers(0, len(CLASSES) - 1, len(tests[name]))
        found = {"model": answers[name][setting], "length": answers[name]["length"], "random": random}
        evaluation.add(name, tests[name], found, setting)
    return {"sets": evaluation.rows, "mean": evaluation.mean()}, best(names)


def gold_of(samples) -> np.ndarray:
    """The labels as numbers."""
    return np.array([CLASSES.index(s.label) for s in samples])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("ROUTING_DATA"), help="folder of the public sets; or $ROUTING_DATA")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--big-bench", type=Path, default=os.environ.get("BIG_BENCH"), help="a file of big_bench.py; or $BIG_BENCH")
    parser.add_argument("--setting", type=float, nargs=2, help="own share and strength: train with these and skip the evaluation")
    arguments = parser.parse_args()
    if not arguments.data or not arguments.big_bench:
        parser.error("--data or $ROUTING_DATA, and --big-bench or $BIG_BENCH")
    samples = data.load(Path(arguments.data), arguments.seed, Path(arguments.big_bench))
    with Pool() as pool:
        features = matrix(pool.map(extract, [s.evidence for s in samples], chunksize=500))
    print(f"{len(samples)} prompts", flush=True)
    setting = Setting(*arguments.setting) if arguments.setting else None
    if not setting:
        results, setting = evaluate(samples, features, arguments.seed)
        print(json.dumps(results["mean"]))
        (HERE / "results.json").write_text(json.dumps({"seed": arguments.seed, **results}, indent=1) + "\n")
    table, bias = fit(features, samples, setting, arguments.seed)
    once_offered(table, bias)
    table, bias, step = quantise(table, bias)
    np.savez_compressed(HERE / "model.npz", weights=table, bias=bias, step=step)
    print(f"trained with {setting}; step {step:.5f}")


if __name__ == "__main__":
    main()
