"""Losses: J and Delta = dJ/dA by PyTorch's automatic derivatives, with each reduction and with
weights of samples and of single targets."""

import math

import torch
from torch.nn import functional as F

from common import matrix, write

torch.set_default_dtype(torch.float64)

N, S = 4, 3
generator = torch.Generator().manual_seed(7)


def short(x):
    """With few digits, which takes little room."""
    return torch.round(x, decimals=2)


def normal(*shape):
    return short(torch.randn(*shape, generator=generator))


def uniform(*shape):
    return short(0.01 + 0.98 * torch.rand(*shape, generator=generator))


OUTPUTS = 2 * normal(N, S)
PROBABILITIES = uniform(N, S)
TARGETS = 2 * normal(N, S)
ONES_AND_ZEROS = (normal(N, S) > 0).double()
COUNTS = torch.poisson(3 * torch.ones(N, S), generator=generator)
DISTRIBUTIONS = short(F.softmax(normal(N, S), dim=1))
LABELS = torch.tensor([2, 0, 1, 2])
OF_SAMPLES = torch.tensor([0.5, 0, 2, 1.25])
OF_TARGETS = uniform(N, S) * (uniform(N, S) > 0.2)
CLASS_WEIGHTS = torch.tensor([0.5, 2, 1.25])


def per_term(function, **options):
    """A loss of PyTorch's that gives, without reduction, a term for each target."""
    return lambda a, t, reduction: function(a, t, reduction=reduction, **options)


def by_formula(formula):
    """One that PyTorch lacks."""
    def loss(a, t, reduction):
        terms = formula(a, t)
        return {"none": terms, "mean": terms.mean(), "sum": terms.sum()}[reduction]
    return loss


def hinge(a, t):
    return F.relu(1 - (2 * t - 1) * a)


def quantile(tau):
    return lambda a, t: torch.maximum(tau * (t - a), (tau - 1) * (t - a))


def focal(gamma, alpha):
    def terms(z, t):
        p = torch.sigmoid(z)
        right = p * t + (1 - p) * (1 - t)
        weight = alpha * t + (1 - alpha) * (1 - t)
        return weight * (1 - right) ** gamma * F.binary_cross_entropy_with_logits(
            z, t, reduction="none")
    return terms


def log_cosh(a, t):
    d = a - t
    return torch.logaddexp(d, -d) - math.log(2)


# Means over all targets: outputs, targets, loss
BY_TARGETS = {
    "mean_squared_error": (OUTPUTS, TARGETS, per_term(F.mse_loss)),
    "mean_absolute_error": (OUTPUTS, TARGETS, per_term(F.l1_loss)),
    "huber": (OUTPUTS, TARGETS, per_term(F.huber_loss)),
    "huber delta=0.4": (OUTPUTS, TARGETS, per_term(F.huber_loss, delta=0.4)),
    "smooth_l1": (OUTPUTS, TARGETS, per_term(F.smooth_l1_loss)),
    "smooth_l1 beta=2.5": (OUTPUTS, TARGETS, per_term(F.smooth_l1_loss, beta=2.5)),
    "log_cosh": (OUTPUTS, TARGETS, by_formula(log_cosh)),
    "quantile": (OUTPUTS, TARGETS, by_formula(quantile(0.5))),
    "quantile tau=0.9": (OUTPUTS, TARGETS, by_formula(quantile(0.9))),
    "binary_cross_entropy": (PROBABILITIES, DISTRIBUTIONS, per_term(F.binary_cross_entropy)),
    "sigmoid_cross_entropy": (
        OUTPUTS, DISTRIBUTIONS, per_term(F.binary_cross_entropy_with_logits)),
    "sigmoid_cross_entropy pos_weight=2.5": (OUTPUTS, ONES_AND_ZEROS, per_term(
        F.binary_cross_entropy_with_logits, pos_weight=torch.tensor(2.5))),
    "sigmoid_cross_entropy, pos_weight of each": (OUTPUTS, DISTRIBUTIONS, per_term(
        F.binary_cross_entropy_with_logits, pos_weight=CLASS_WEIGHTS)),
    "focal": (OUTPUTS, ONES_AND_ZEROS, by_formula(focal(2, 0.25))),
    "focal gamma=0.5 alpha=0.7": (OUTPUTS, DISTRIBUTIONS, by_formula(focal(0.5, 0.7))),
    "hinge": (OUTPUTS, ONES_AND_ZEROS, by_formula(hinge)),
    "squared_hinge": (OUTPUTS, ONES_AND_ZEROS, by_formula(lambda a, t: hinge(a, t) ** 2)),
    "poisson": (OUTPUTS, COUNTS, per_term(F.poisson_nll_loss)),
    "poisson full=true": (OUTPUTS, COUNTS, per_term(F.poisson_nll_loss, full=True)),
    "poisson log_input=false epsilon=0.001": (PROBABILITIES, COUNTS, per_term(
        F.poisson_nll_loss, log_input=False, eps=0.001)),
    "kl_divergence": (short(F.log_softmax(OUTPUTS, dim=1)), DISTRIBUTIONS, per_term(F.kl_div)),
}


def cross_entropy(**options):
    return lambda a, t, reduction: F.cross_entropy(a, t, reduction=reduction, **options)


def columns_or_labels(t):
    return F.one_hot(t, S).double() if t.dim() == 1 else t


def cross_entropy_terms(smoothing=0, weights=torch.ones(S)):
    def terms(z, t):
        t = (1 - smoothing) * columns_or_labels(t) + smoothing / S
        return -weights * t * F.log_softmax(z, dim=1)
    return terms


def margin_terms(margin, p):
    def terms(z, t):
        of_label = z.gather(1, t[:, None])
        return F.relu(margin - of_label + z) ** p * (1 - F.one_hot(t, S)) / S
    return terms


def weighted_cosine(a, t, w):
    def inner(x, y):
        return (w * x * y).sum(dim=1)
    return 1 - inner(a, t) / torch.sqrt(inner(a, a) * inner(t, t))


def cosine(a, t, reduction):
    terms = 1 - F.cosine_similarity(a, t, dim=1)
    return {"none": terms, "mean": terms.mean(), "sum": terms.sum()}[reduction]


def squared_error(a, t, reduction):
    terms = 0.5 * ((a - t) ** 2).sum(dim=1)
    return {"none": terms, "mean": terms.mean(), "sum": terms.sum()}[reduction]


# Means over the samples: outputs, targets, loss, and what sums the terms by weights of targets
BY_SAMPLES = {
    "squared_error": (OUTPUTS, TARGETS, squared_error, lambda a, t: 0.5 * (a - t) ** 2),
    "softmax_cross_entropy": (OUTPUTS, LABELS, cross_entropy(), cross_entropy_terms()),
    "softmax_cross_entropy, of columns": (
        OUTPUTS, DISTRIBUTIONS, cross_entropy(), cross_entropy_terms()),
    "softmax_cross_entropy label_smoothing=0.1": (
        OUTPUTS, LABELS, cross_entropy(label_smoothing=0.1), cross_entropy_terms(0.1)),
    "softmax_cross_entropy label_smoothing=0.3, of columns": (
        OUTPUTS, DISTRIBUTIONS, cross_entropy(label_smoothing=0.3), cross_entropy_terms(0.3)),
    "softmax_cross_entropy, class_weights": (
        OUTPUTS, LABELS, cross_entropy(weight=CLASS_WEIGHTS),
        cross_entropy_terms(0, CLASS_WEIGHTS)),
    "softmax_cross_entropy, class_weights of columns": (
        OUTPUTS, DISTRIBUTIONS, cross_entropy(weight=CLASS_WEIGHTS),
        cross_entropy_terms(0, CLASS_WEIGHTS)),
    "softmax_cross_entropy label_smoothing=0.1, class_weights": (
        OUTPUTS, LABELS, cross_entropy(weight=CLASS_WEIGHTS, label_smoothing=0.1),
        cross_entropy_terms(0.1, CLASS_WEIGHTS)),
    "softmax_cross_entropy label_smoothing=0.1, class_weights of columns": (
        OUTPUTS, DISTRIBUTIONS, cross_entropy(weight=CLASS_WEIGHTS, label_smoothing=0.1),
        cross_entropy_terms(0.1, CLASS_WEIGHTS)),
    "multi_margin": (OUTPUTS, LABELS, per_term(F.multi_margin_loss), margin_terms(1, 1)),
    "multi_margin p=2 margin=0.6": (
        OUTPUTS, LABELS, per_term(F.multi_margin_loss, p=2, margin=0.6), margin_terms(0.6, 2)),
    "cosine": (OUTPUTS, TARGETS, cosine, None),
}


def gradient(a, J):
    a = a.detach().clone().requires_grad_()
    value = J(a)
    value.backward()
    return {"J": value.item(), "Delta": matrix(a.grad)}


def answers(a, t, plain, weighted):
    """plain: loss by reduction; weighted: J by weights of samples and of targets."""
    given = {"A": matrix(a), "T": matrix(t if t.dim() == 2 else t[:, None] + 1)}
    for reduction in plain:
        given[reduction] = gradient(a, plain[reduction])
    for kind in weighted:
        given[kind] = gradient(a, weighted[kind])
    return given


def ask_by_targets(a, t, loss):
    def by(w):
        return lambda a: (w * loss(a, t, "none")).sum() / (w * torch.ones(t.shape)).sum()
    reductions = {r: lambda a, r=r: loss(a, t, r) for r in ("mean", "sum")}
    return answers(a, t, reductions, {"samples": by(OF_SAMPLES[:, None]), "targets": by(OF_TARGETS)})


def ask_by_samples(name, a, t, loss, terms):
    def by_samples(a):
        return (OF_SAMPLES * loss(a, t, "none")).sum() / total(OF_SAMPLES)

    def by_targets(a):
        means = OF_TARGETS.mean(dim=1)
        if terms is None:
            return (means * weighted_cosine(a, t, OF_TARGETS)).sum() / total(means)
        return (OF_TARGETS * terms(a, t)).sum() / total(means)

    def total(w):
        has_classes = "class_weights" in name and t.dim() == 1
        return (w * CLASS_WEIGHTS[t]).sum() if has_classes else w.sum()

    reductions = {r: lambda a, r=r: loss(a, t, r) for r in ("mean", "sum")}
    return answers(a, t, reductions, {"samples": by_samples, "targets": by_targets})


def ask_normal(full):
    """gaussian_nll: the outputs are means, then variances, one of which is below epsilon."""
    variances = PROBABILITIES.clone()
    variances[1, 2] = 0.01
    a = torch.cat([OUTPUTS, variances], dim=1)

    def loss(a, reduction):
        return F.gaussian_nll_loss(a[:, :S], TARGETS, a[:, S:], full=full, eps=0.05,
                                   reduction=reduction)

    def by(w):
        return lambda a: (w * loss(a, "none")).sum() / (w * torch.ones(N, S)).sum()
    reductions = {r: lambda a, r=r: loss(a, r) for r in ("mean", "sum")}
    return answers(a, TARGETS, reductions,
                   {"samples": by(OF_SAMPLES[:, None]), "targets": by(OF_TARGETS)})


result = {name: ask_by_targets(*case) for name, case in BY_TARGETS.items()}
result.update({name: ask_by_samples(name, *case) for name, case in BY_SAMPLES.items()})
for full in (False, True):
    result[f"gaussian_nll epsilon=0.05 full={str(full).lower()}"] = ask_normal(full)
a, t, loss = BY_TARGETS["kl_divergence"]
result["kl_divergence"]["batchmean"] = gradient(a, lambda a: loss(a, t, "batchmean"))
for name in result:
    if "pos_weight of each" in name:
        result[name]["options"] = {"pos_weight": CLASS_WEIGHTS.tolist()}
    if "class_weights" in name:
        result[name]["options"] = {"class_weights": CLASS_WEIGHTS.tolist()}
result["weights"] = {"samples": matrix(OF_SAMPLES[:, None]), "targets": matrix(OF_TARGETS)}
write(result)
