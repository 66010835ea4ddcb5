"""The measures against cases counted by hand."""

import numpy as np
import pytest

from training.routing import data, metrics

STRONG = [1, 1, 1, 1]
WEAK = [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("name", "score", "area", "half", "most"),
    [
        # The two prompts that gain come first: 25 % of the calls recover 1/2, 50 % all of it.
        ("best", [4, 3, 2, 1], 0.75, 25, 40),
        ("worst", [1, 2, 3, 4], 0.25, 75, 90),
        ("ties are random", [0, 0, 0, 0], 0.5, 50, 80),
        ("half right", [4, 2, 3, 1], 0.625, 25, 65),
    ],
)
def test_apgr_and_cpt(name, score, area, half, most):
    curve = metrics.pgr_curve(score, STRONG, WEAK, quantiles=4)
    assert metrics.apgr(*curve) == pytest.approx(area), name
    assert metrics.cpt(*curve, 0.5) == pytest.approx(half), name
    assert metrics.cpt(*curve, 0.8) == pytest.approx(most), name


def test_a_strong_model_that_loses_a_prompt_may_recover_more_than_all():
    shares, recovered = metrics.pgr_curve([3, 2, 1], [1, 1, 0], [0, 0, 1], quantiles=3)
    assert recovered == pytest.approx([0, 1, 2, 1])


def test_weights_stand_for_repeated_samples():
    random = np.random.default_rng(0)
    score, strong, weak = random.random(50), random.random(50) < 0.8, random.random(50) < 0.5
    times = random.integers(0, 4, 50)
    repeated = [np.repeat(values, times) for values in (score, strong, weak)]
    assert metrics.measure(score, strong, weak, times) == pytest.approx(metrics.measure(*repeated))


def test_a_resample_keeps_groups_together():
    weights = metrics.resamples(["a", "b", "a", "c"], draws=20, seed=0)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_near_duplicates_are_linked_and_others_are_not():
    groups = data.near_duplicates(
        [
            "Tom has three red apples and buys four more, how many has he?",
            "Tom has three red apples and buys nine more, how many has he?",
            "Which planet of the solar system is the largest one by mass?",
        ]
    )
    assert groups[0] == groups[1] != groups[2]
