"""Strong or weak on RouteLLM's outcomes, in-domain and with the target benchmark left out.

    python -m training.routing.strong_weak --data DIR [--seeds 5] [--plot training/routing/curves.svg]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from training.routing import data, heads, metrics
from training.routing.heads import Pool, Set

# Of the models of `multi`, pairs whose difference is ability; the rest mostly miss the answer's format.
STRONG = ["llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1"]
WEAK = ["gemma-2-9b-it", "qwen2.5-7b-instruct", "llama-3.1-8b-instruct", "mistral-7b-instruct-v0.3"]

# RouteLLM's two artefacts; the data holds the first only.
ARTEFACTS = ["high_school_mathematics", "moral_scenarios"]
# Tasks of `multi` that are the benchmark, or a translation of it.
SAME = {"mmlu": ["mmlu"], "gsm8k": ["gsm8k", "agentverse-mgsm"]}
DRAWS = 1000

ONE_FILE = heads.recipes((10, 30, 100))
ALL_FILES = heads.recipes((30, 100, 200), gsm8k=(0.1, 0.3), multi=(0, 0.1, 0.3))
LEFT_OUT = heads.recipes((30, 100, 300, 1000))


def pool_of(found: dict[str, data.Outcomes]) -> Pool:
    """Strong and weak outcomes of all three sets. Gains are compared within a benchmark; of `multi`,
    within a task, for there a whole task may fail on its answer's format."""
    pool = {}
    for name in ("mmlu", "gsm8k"):
        outcomes = found[name]
        pool[name] = Set(outcomes.x, *outcomes.y.T, outcomes.group, np.full(len(outcomes.part), name))
    multi = found["multi"]
    strong, weak = (multi.y[:, [list(data.PRICES).index(model) for model in models]].mean(1) for models in (STRONG, WEAK))
    pool["multi"] = Set(multi.x, strong, weak, multi.group, multi.part)
    return pool


def by_length(found: data.Outcomes, target: Set, seed: int) -> np.ndarray:
    """The strongest use of length alone: mean gain of tenths of the training fold's lengths."""
    scores = np.zeros(len(target.gain))
    for _, held in heads.split({"": target}, 5, seed):
        test, length = held[""], found.length
        edges = np.quantile(length[~test], np.linspace(0, 1, 11)[1:-1])
        tenth = np.searchsorted(edges, length)
        means = np.array([target.gain[~test][tenth[~test] == each].mean() for each in range(10)])
        scores[test] = means[tenth[test]]
    return scores


def left_out(found, pool: Pool, name: str, seed: int) -> np.ndarray:
    """A head that saw nothing of the benchmark, nor what is near it; its penalty is chosen by leaving
    out subjects and tasks of the other sets."""
    others = {}
    for other in pool:
        if other != name:
            away = np.isin(pool[other].group, pool[name].group) | np.isin(found[other].part, SAME[name])
            others[other] = pool[other].take(~away)
            others[other].group = found[other].part[~away]
    recipe = heads.choose(others, list(others), LEFT_OUT, seed, folds=4)
    print(f"  {name} left out, seed {seed}: {recipe}", flush=True)
    return heads.fit(others, recipe).quantised()(pool[name].x)


def subjects_left_out(found, pool: Pool, seed: int) -> np.ndarray:
    """MMLU from MMLU, but no subject is both learned from and tested on."""
    target = pool["mmlu"].take(slice(None))
    target.group = found["mmlu"].part
    return heads.nested({"mmlu": target}, ["mmlu"], ONE_FILE, seed)["mmlu"]


def routers(found, pool: Pool, seeds: int) -> dict[str, dict[str, list[np.ndarray]]]:
    """Scores by benchmark, router and seed."""
    scores: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in ("mmlu", "gsm8k")}

    def keep(name: str, router: str, score: np.ndarray) -> None:
        scores[name].setdefault(router, []).append(score)

    for seed in range(seeds):
        together = heads.nested(pool, ["mmlu", "gsm8k"], ALL_FILES, seed)
        for name in scores:
            keep(name, "random", np.zeros(len(pool[name].gain)))
            keep(name, "length, longest to strong", found[name].length)
            keep(name, "length, learned", by_length(found[name], pool[name], seed))
            keep(name, "**ships**: one head, all files", together[name])
            keep(name, "head of this file alone", heads.nested({name: pool[name]}, [name], ONE_FILE, seed)[name])
            if name == "mmlu":
                keep(name, "head of this file, subject left out", subjects_left_out(found, pool, seed))
            keep(name, "head, benchmark left out", left_out(found, pool, name, seed))
    return scores


def table(title: str, target: Set, scores: dict[str, list[np.ndarray]], rows) -> None:
    """Means over seeds; intervals by a bootstrap over groups, each draw with the scores of one seed."""
    strong, weak = target.strong[rows], target.weak[rows]
    weights = metrics.resamples(target.group[rows], DRAWS, seed=0)
    gap = f"{len(strong)} prompts, strong {strong.mean():.3f}, weak {weak.mean():.3f}"
    print(f"\n{title}: {gap}\n\n| router | APGR (95 %) | over the better length baseline (95 %) | CPT50 | CPT80 |")
    print("|---|---|---|---|---|")
    drawn, mean = {}, {}
    for router, seeds in scores.items():
        mean[router] = np.mean([metrics.measure(score[rows], strong, weak) for score in seeds], axis=0)
        drawn[router] = np.array(
            [metrics.measure(seeds[i % len(seeds)][rows], strong, weak, weights[i])[0] for i in range(DRAWS)]
        )
    length = max((router for router in scores if router.startswith("length")), key=lambda router: mean[router][0])
    for router in scores:
        low, high = metrics.interval(drawn[router])
        worse, better = metrics.interval(drawn[router] - drawn[length])
        area, half, most = mean[router]
        over = "" if router in ("random", length) else f"{area - mean[length][0]:+.3f} ({worse:+.3f} .. {better:+.3f})"
        print(f"| {router} | {area:.3f} ({low:.3f} .. {high:.3f}) | {over} | {half:.1f} | {most:.1f} |", flush=True)


def plot(path: Path, pool: Pool, scores) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "routing"
    from matplotlib import pyplot

    shown = {
        "random": ("random", "0.6", ":"),
        "length, longest to strong": ("prompt length", "0.35", "--"),
        "head, benchmark left out": ("head, benchmark left out", "tab:orange", "-"),
        "**ships**: one head, all files": ("ships, cross-validated", "tab:blue", "-"),
    }
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.8), sharex=True)
    for axis, name, title in zip(axes, scores, ("MMLU", "GSM8K")):
        target = pool[name]
        for router, (label, colour, style) in shown.items():
            curves = [metrics.pgr_curve(score, target.strong, target.weak, quantiles=50) for score in scores[name][router]]
            recovered = np.mean([curve[1] for curve in curves], axis=0)
            quality = target.weak.mean() + recovered * target.gain.mean()
            axis.plot(100 * curves[0][0], quality, style, color=colour, label=label)
        axis.set(title=title, xlabel="calls to the strong model, %", ylabel="accuracy")
        axis.grid(alpha=0.3)
    axes[1].legend(loc="lower right", frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--plot", type=Path)
    options = arguments.parse_args()
    started = time.monotonic()
    found = data.load(options.data)
    pool = pool_of(found)
    scores = routers(found, pool, options.seeds)
    plain = ~np.isin(found["mmlu"].part, ARTEFACTS)
    table("MMLU", pool["mmlu"], scores["mmlu"], slice(None))
    table("MMLU without the artefact subject", pool["mmlu"], scores["mmlu"], plain)
    table("GSM8K", pool["gsm8k"], scores["gsm8k"], slice(None))
    if options.plot:
        plot(options.plot, pool, scores)
    print(f"\n{options.seeds} seeds, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
