"""Tests of significance, by hand and against scipy and statsmodels."""

import itertools

import numpy as np
import pytest

from glore_video.statistics.significance import (
    benjamini_hochberg,
    holm,
    mcnemar_exact,
    paired_t,
    student_t,
    student_t_quantile,
)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 5, 2 / 32),
        (1, 5, 2 * 7 / 64),
        (3, 3, 1.0),
        (2, 9, 2 * (1 + 11 + 55) / 2048),
    ],
)
def test_mcnemar_by_hand(first, second, p):
    assert mcnemar_exact(first, second) == pytest.approx(p, rel=1e-14)
    assert mcnemar_exact(second, first) == mcnemar_exact(first, second)


def test_mcnemar_equals_scipy_and_statsmodels():
    stats = pytest.importorskip("scipy.stats")
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    counts = [*itertools.product([0, 1, 2, 7, 30], repeat=2), (480, 531), (1200, 1450)]
    for first, second in counts:
        ours = mcnemar_exact(first, second)
        if first + second:
            binomial = stats.binomtest(first, first + second, 0.5).pvalue
            assert ours == pytest.approx(binomial, rel=1e-9), (first, second)
        table = np.array([[50, first], [second, 9]])
        theirs = tables.mcnemar(table, exact=True).pvalue
        if first != second:  # there it gives 2 * P(X <= n), above 1, and cuts it
            assert ours == pytest.approx(theirs, rel=1e-9), (first, second)
        assert 0 < ours <= 1


def test_mcnemar_of_a_whole_kinetics_is_quick_and_small():
    assert mcnemar_exact(9000, 10000) == pytest.approx(4.1e-13, rel=0.03)


def test_negative_count():
    with pytest.raises(ValueError, match="at least 0, got 3 and -1"):
        mcnemar_exact(3, -1)


@pytest.mark.parametrize(
    ("t", "degrees", "p"),
    [
        (1.0, 1, 0.5),  # a Cauchy variable is beyond 1 half of the time
        (12.706204736, 1, 0.05),  # from a printed table of quantiles
        (4.302652730, 2, 0.05),
        (3.182446305, 3, 0.05),
        (-2.776445105, 4, 0.05),
        (2.262157163, 9, 0.05),
        (3.169272673, 10, 0.01),
        (0.0, 7, 1.0),
    ],
)
def test_student_t_of_a_table(t, degrees, p):
    assert student_t(t, degrees) == pytest.approx(p, abs=1e-9)


@pytest.mark.parametrize(
    ("level", "degrees", "t"),
    [  # from a printed table
        (0.95, 1, 12.706204736),
        (0.95, 2, 4.302652730),
        (0.95, 9, 2.262157163),
        (0.99, 10, 3.169272673),
        (0.5, 1, 1.0),
    ],
)
def test_student_t_quantile(level, degrees, t):
    assert student_t_quantile(level, degrees) == pytest.approx(t, rel=1e-9)


def test_level_of_a_quantile():
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match=f"level must be between 0 and 1, got {level}"):
            student_t_quantile(level, 2)


def test_student_t_equals_scipy():
    stats = pytest.importorskip("scipy.stats")
    for degrees in range(1, 40):
        for t in (0.01, 0.7, 2.0, 5.5, 30.0):
            assert student_t(t, degrees) == pytest.approx(2 * stats.t.sf(t, degrees), abs=1e-13)


def test_paired_t():
    # mean 2, standard deviation 1, three values: t = 2 / (1 / sqrt(3)) = 3.4641; p from a table.
    assert paired_t([1.0, 2.0, 3.0]) == pytest.approx(0.0741799, abs=1e-6)
    assert paired_t([0.0, 0.0]) == 1.0
    assert paired_t([0.3, 0.3, 0.3]) == 0.25  # three signs that agree
    with pytest.raises(ValueError, match="at least two differences are needed, got 1"):
        paired_t([1.0])
    with pytest.raises(ValueError, match="degrees of freedom must be at least 1, got 0"):
        student_t(1.0, 0)


def test_corrections_by_hand():
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert holm([]) == benjamini_hochberg([]) == []
    assert holm([0.7, 0.8]) == [1.0, 1.0]


def test_corrections_equal_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(0).random(400) ** 3
    p[7] = p[8]
    for ours, name in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        theirs = multitest.multipletests(p, method=name)[1]
        np.testing.assert_allclose(ours(p), theirs, rtol=1e-12)
