"""What scipy, statsmodels and scikit-learn say of generated verdicts.

Usage: python scripts/reference/win_statistics.py > src/evaluation/fixtures/win-statistics.json
Needs numpy, scipy, statsmodels, scikit-learn.
"""

import importlib.metadata
import json

import numpy
import statsmodels.api as sm
from scipy import optimize, stats
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


def length_term(lengths):
    lengths = numpy.asarray(lengths, dtype=float)
    return numpy.tanh(lengths / lengths.std()) if lengths.std() > 0 else numpy.zeros(len(lengths))


def difficulties(models):
    """The penalized likelihood's maximum on one dense design: an intercept and a length term a model, a difficulty an instruction."""
    names = sorted({name for model in models for name in model["instructions"]})
    rows, scores = [], []
    for number, model in enumerate(models):
        terms = length_term(model["lengths"])
        for name, score, term in zip(model["instructions"], model["scores"], terms):
            row = numpy.zeros(2 * len(models) + len(names))
            row[2 * number], row[2 * number + 1], row[2 * len(models) + names.index(name)] = 1, term, 1
            rows.append(row)
            scores.append(score)
    design, scores = numpy.array(rows), numpy.array(scores)
    penalty = numpy.array([0.01] * (2 * len(models)) + [1.0] * len(names))

    def loss(values):
        linear = design @ values
        return numpy.logaddexp(0, linear).sum() - scores @ linear + (penalty * values**2).sum() / 2

    def gradient(values):
        return design.T @ (1 / (1 + numpy.exp(-design @ values)) - scores) + penalty * values

    def hessian(values):
        share = 1 / (1 + numpy.exp(-design @ values))
        return design.T @ (design * (share * (1 - share))[:, None]) + numpy.diag(penalty)

    found = optimize.minimize(loss, numpy.zeros(design.shape[1]), jac=gradient, hess=hessian, method="trust-exact",
                              options={"gtol": 1e-11, "maxiter": 1000})
    assert numpy.abs(gradient(found.x)).max() < 1e-8, found
    return dict(zip(names, found.x[2 * len(models):]))


def difficulty_case(models, instructions):
    hardness = random.normal(0, 1.2, instructions)
    made = []
    for number in range(models):
        # Some models were judged on a part of the instructions only, the last one wins throughout.
        asked = numpy.sort(random.choice(instructions, size=instructions - 7 * number, replace=False))
        lengths = numpy.round(random.normal(60, 150, len(asked))).astype(int)
        chance = 1 / (1 + numpy.exp(-(0.4 * number - 0.5 + 0.8 * numpy.tanh(lengths / 150) + hardness[asked])))
        scores = numpy.where(random.random(len(asked)) < 0.15, 0.5, (random.random(len(asked)) < chance) * 1.0)
        if number == models - 1:
            scores[:] = 1
        made.append({"instructions": [f"q{one}" for one in asked], "scores": scores.tolist(), "lengths": lengths.tolist()})
    rates = []
    for number, model in enumerate(made[:-1]):
        found = difficulties(made[:number] + made[number + 1:])
        own = numpy.array([found.get(name, 0.0) for name in model["instructions"]])
        term = length_term(model["lengths"])
        design = numpy.column_stack([numpy.ones(len(own)), term, own])
        glm = sm.GLM(model["scores"], design, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=200)
        rates.append(float((1 / (1 + numpy.exp(-(glm.params[0] + glm.params[2] * own)))).mean()))
    return {"models": made, "rates": rates}


print(json.dumps({
    "maker": "scripts/reference/win_statistics.py",
    "versions": {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "statsmodels", "scikit-learn")},
    "cases": [case(60, 0.5, 0.2), case(300, 0.62, 0.1), case(1500, 0.45, 0.3)],
    "signTests": [[a, b, float(stats.binomtest(a, a + b).pvalue)] for a, b in
                  [(0, 1), (1, 0), (3, 3), (0, 12), (5, 14), (700, 600), (2000, 1900)]],
    "difficulty": [difficulty_case(3, 40), difficulty_case(6, 120)],
}))
