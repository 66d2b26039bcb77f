"""What scipy, statsmodels and scikit-learn say of generated verdicts.

Usage: python scripts/reference/win_statistics.py > src/evaluation/fixtures/win-statistics.json
Needs numpy, scipy, statsmodels, scikit-learn.
"""

import importlib.metadata
import json

import numpy
import statsmodels.api as sm
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

random = numpy.random.default_rng(20261125)


def verdicts(count, win, tie):
    return random.choice([1, 0.5, 0], size=count, p=[win, tie, 1 - win - tie])


def case(count, win, tie):
    ours, baseline = verdicts(count, win, tie), verdicts(count, 0.4, tie)
    lengths = numpy.round(random.normal(80, 200, count) + 150 * ours).astype(int)
    wins, losses = int((ours == 1).sum()), int((ours == 0).sum())
    term = numpy.tanh(lengths / lengths.std())
    glm = sm.GLM(ours, sm.add_constant(term), family=sm.families.Binomial()).fit(tol=1e-14, maxiter=200)

    def bootstrap(values):
        interval = stats.bootstrap((values,), numpy.mean, n_resamples=20000, batch=1000, method="percentile", rng=7)
        return [float(values.mean()), *map(float, interval.confidence_interval)]

    won, baseline_won = ours == 1, baseline == 1
    table = [[int((won & baseline_won).sum()), int((won & ~baseline_won).sum())],
             [int((~won & baseline_won).sum()), int((~won & ~baseline_won).sum())]]
    return {
        "scores": ours.tolist(), "baseline": baseline.tolist(), "lengths": lengths.tolist(),
        "wilson": [wins / count, *map(float, proportion_confint(wins, count, method="wilson"))],
        "bootstrap": bootstrap(ours), "pairedBootstrap": bootstrap(ours - baseline),
        "signTest": float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0,
        "mcnemar": float(mcnemar(table, exact=True).pvalue),
        "kappa": float(cohen_kappa_score((ours * 2).astype(int), (baseline * 2).astype(int))),
        "lengthControlled": float(1 / (1 + numpy.exp(-glm.params[0]))),
    }


print(json.dumps({
    "maker": "scripts/reference/win_statistics.py",
    "versions": {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "statsmodels", "scikit-learn")},
    "cases": [case(60, 0.5, 0.2), case(300, 0.62, 0.1), case(1500, 0.45, 0.3)],
    "signTests": [[a, b, float(stats.binomtest(a, a + b).pvalue)] for a, b in
                  [(0, 1), (1, 0), (3, 3), (0, 12), (5, 14), (700, 600), (2000, 1900)]],
}))
