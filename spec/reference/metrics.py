"""Metrics as scikit-learn computes them, of outputs with ties, with weights, for classes that are
missing, and for predictions that are perfect, the worst, or all the same."""

import numpy
from sklearn import calibration, metrics

from common import matrix, write

AVERAGES = ("macro", "micro", "weighted")


def by_average(answers, truth, predicted, w, averages):
    for average in averages:
        scores = metrics.precision_recall_fscore_support(
            truth, predicted, average=average, sample_weight=w, zero_division=0, pos_label=2)
        for name, value in zip(("precision", "recall", "f1"), scores):
            answers[f"{name} average={average}"] = value


def gap_of_bins(outcomes, p, w, bins):
    """Expected calibration error, by the bins of calibration_curve where there are no weights."""
    edges = numpy.linspace(0, 1, bins + 1)
    bin_of = numpy.searchsorted(edges[1:-1], p)
    weights = numpy.ones(len(p)) if w is None else w
    total = 0
    for b in range(bins):
        of_bin = weights * (bin_of == b)
        total += abs(of_bin @ outcomes - of_bin @ p)
    result = total / weights.sum()
    if w is None:
        true, mean = calibration.calibration_curve(outcomes, p, n_bins=bins)
        counts = numpy.bincount(bin_of, minlength=bins)
        assert abs(result - counts[counts > 0] @ abs(true - mean) / len(p)) < 1e-14
    return result


def of_predictions(truth, predicted, w):
    answers = {
        "accuracy": metrics.accuracy_score(truth, predicted, sample_weight=w),
        "matthews": metrics.matthews_corrcoef(truth, predicted, sample_weight=w),
    }
    kappa = metrics.cohen_kappa_score(truth, predicted, sample_weight=w)
    if kappa == kappa:
        answers["cohen_kappa"] = kappa
    return answers


def asked(A, truth, w, answers, **more):
    given = {"A": A, "T": truth, "weights": w}
    samples = {name: matrix(x.reshape(len(A), -1)) for name, x in given.items() if x is not None}
    return {**samples, "values": answers, **more}


def classes(A, truth, w=None):
    """Outputs A, a row for each sample, are probabilities of S classes; truth counts from 1."""
    S = A.shape[1]
    predicted = A.argmax(axis=1) + 1
    answers = of_predictions(truth, predicted, w)
    by_average(answers, truth, predicted, w, AVERAGES)
    one_hot = numpy.eye(S)[truth - 1]
    answers["log_loss"] = metrics.log_loss(one_hot, A, sample_weight=w)
    answers["brier"] = numpy.average(((A - one_hot) ** 2).sum(axis=1), weights=w)
    answers["calibration_error bins=5"] = gap_of_bins(predicted == truth, A.max(axis=1), w, 5)
    answers["average_precision"] = metrics.average_precision_score(
        one_hot, A, average="macro", sample_weight=w)
    if len(set(truth)) == S:
        answers["roc_auc"] = metrics.roc_auc_score(
            truth, A, multi_class="ovr", average="macro", sample_weight=w)
    for k in range(1, S):
        answers[f"top_k k={k}"] = metrics.top_k_accuracy_score(
            truth, A - 1e-9 * numpy.arange(S), k=k, labels=range(1, S + 1), sample_weight=w)
    report = metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(1, S + 1), sample_weight=w, zero_division=0)
    return asked(A, truth, w, answers, report=[list(map(float, row)) for row in report])


def binary(p, t, w=None):
    """One output p for two classes, 1 where the second is true."""
    predicted = (p >= 0.5) + 1
    answers = of_predictions(t + 1, predicted, w)
    by_average(answers, t + 1, predicted, w, AVERAGES + ("binary",))
    answers["log_loss"] = metrics.log_loss(t, p, labels=[0, 1], sample_weight=w)
    answers["brier"] = metrics.brier_score_loss(t, p, pos_label=1, sample_weight=w)
    answers["calibration_error bins=5"] = gap_of_bins(t, p, w, 5)
    answers["average_precision"] = metrics.average_precision_score(t, p, sample_weight=w)
    if 0 < t.sum() < len(t):
        answers["roc_auc"] = metrics.roc_auc_score(t, p, sample_weight=w)
    return asked(p, t, w, answers)


def several(A, T, w=None):
    """An output for each of several labels."""
    predicted = (A >= 0.5).astype(int)
    answers = {
        "accuracy": metrics.accuracy_score(T, predicted, sample_weight=w),
        "subset_accuracy": metrics.accuracy_score(T, predicted, sample_weight=w),
        "hamming_loss": metrics.hamming_loss(T, predicted, sample_weight=w),
        "average_precision": metrics.average_precision_score(T, A, sample_weight=w),
    }
    if all(0 < column.sum() < len(column) for column in T.T):
        answers["roc_auc"] = metrics.roc_auc_score(T, A, sample_weight=w)
    for average in AVERAGES:
        scores = metrics.precision_recall_fscore_support(
            T, predicted, average=average, sample_weight=w, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), scores):
            answers[f"{name} average={average}"] = value
    return asked(A, T, w, answers)


def values(A, T, w=None):
    mse = metrics.mean_squared_error(T, A, sample_weight=w)
    return asked(A, T, w, {
        "mse": mse, "rmse": mse ** 0.5,
        "mae": metrics.mean_absolute_error(T, A, sample_weight=w),
        "r2": metrics.r2_score(T, A, sample_weight=w),
    })


draw = numpy.random.default_rng(1)
N = 30
truth = draw.integers(1, 4, N)
w = draw.integers(0, 5, N) / 2
P = numpy.array([draw.multinomial(20, q) for q in 0.2 + 0.4 * numpy.eye(3)[truth - 1]]) / 20
p = draw.integers(0, 21, N) / 20
t = (draw.random(N) < 0.2 + 0.6 * p).astype(int)
many = (draw.random((N, 4)) < [0.2, 0.5, 0.7, 0.4]).astype(int)
scores = (3 * many + draw.integers(0, 11, (N, 4))) / 16
X = (draw.normal(size=(N, 2)) * [1, 30] + [5, 1000]).round(3)
near = X + draw.normal(size=X.shape).round(3)
right = (1 + 7 * numpy.eye(3)[truth - 1]) / 10
rare = numpy.where(truth == 3, 1, truth)
never = numpy.where([False, False, True], 0, P + P[:, 2:] / 2)

write({
    "classes": classes(P, truth),
    "classes, weighted": classes(P, truth, w),
    "classes, the third missing": classes(P, rare),
    "classes, the third missing and never predicted": classes(never, rare),
    "classes, one alone": classes(P, numpy.full(N, 2)),
    "classes, perfect": classes(right, truth),
    "classes, worst": classes(numpy.roll(right, 1, axis=1), truth, w),
    "classes, always the first": classes(numpy.tile([0.5, 0.25, 0.25], (N, 1)), truth),
    "binary": binary(p, t),
    "binary, weighted": binary(p, t, w),
    "binary, perfect": binary(0.25 + t / 2, t),
    "binary, worst": binary(0.75 - t / 2, t, w),
    "binary, certain": binary(t * 1.0, t),
    "binary, all alike": binary(numpy.full(N, 0.3), t),
    "binary, none": binary(p, 0 * t),
    "binary, no others": binary(p, 0 * t + 1),
    "several": several(scores, many),
    "several, weighted": several(scores, many, w),
    "several, one nowhere": several(scores, many * [1, 1, 1, 0]),
    "several, perfect": several(many * 0.8 + 0.1, many),
    "several, worst": several(0.9 - many * 0.8, many),
    "values": values(near, X),
    "values, weighted": values(near, X, w),
    "values, one output": values(near[:, 0], X[:, 0]),
    "values, perfect": values(X, X),
    "values, the same always": values(X, 0 * X + 3),
    "values, the same always and hit": values(0 * X + 3, 0 * X + 3),
})
