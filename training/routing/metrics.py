"""RouteLLM's measures of a strong/weak router, exactly as weighted samples: the bootstrap draws weights.

A router scores prompts; the share of strong calls is swept by thresholds at quantiles of the score.
The performance gap recovered (PGR) at a share is (accuracy - weak) / (strong - weak). APGR is the area
under PGR over the share, CPT(x) the smallest share that recovers x of the gap, in percent.
"""

from __future__ import annotations

import numpy as np

QUANTILES = 10  # RouteLLM's number of results


def pgr_curve(score, strong, weak, weight=None, quantiles=QUANTILES):
    """Shares of strong calls (0..1) and the gap recovered there. Prompts of equal score are called
    strong in the same proportion, so ties favour nobody."""
    weight = np.ones(len(score)) if weight is None else np.asarray(weight, float)
    order = np.argsort(-np.asarray(score), kind="stable")
    value, weight = np.asarray(score)[order], weight[order]
    gain = (np.asarray(strong, float) - np.asarray(weak, float))[order] * weight
    calls, gained = np.cumsum(weight), np.cumsum(gain)
    ends = np.append(np.flatnonzero(np.diff(value)), len(value) - 1)  # the last of each run of ties
    calls, gained = np.append(0, calls[ends]), np.append(0, gained[ends])
    shares = np.linspace(0, 1, quantiles + 1)
    return shares, np.interp(shares, calls / calls[-1], gained) / gained[-1]


def apgr(shares, recovered) -> float:
    return float(np.trapezoid(recovered, shares))


def cpt(shares, recovered, part: float) -> float:
    """Percent of strong calls at which `part` of the gap is first recovered, between quantiles by line."""
    after = int(np.argmax(recovered >= part - 1e-12))
    if after == 0:
        return 0.0
    low, high = recovered[after - 1], recovered[after]
    return float(100 * (shares[after - 1] + (part - low) / (high - low) * (shares[after] - shares[after - 1])))


def measure(score, strong, weak, weight=None) -> np.ndarray:
    """APGR, CPT50, CPT80."""
    curve = pgr_curve(score, strong, weak, weight)
    return np.array([apgr(*curve), cpt(*curve, 0.5), cpt(*curve, 0.8)])


def resamples(groups, draws: int, seed: int) -> np.ndarray:
    """Weights of a bootstrap over groups: one row per draw, one column per sample."""
    _, member = np.unique(groups, return_inverse=True)
    count = member.max() + 1
    random = np.random.default_rng(seed)
    return random.multinomial(count, np.full(count, 1 / count), size=draws)[:, member].astype(float)


def interval(values) -> tuple[float, float]:
    """The middle 95 %."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
