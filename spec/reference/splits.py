"""How scikit-learn shares samples out: how many of each class, and how many in all, are in each
part."""

import numpy
from sklearn import model_selection

from common import write

generator = numpy.random.default_rng(1)
LABELS = numpy.sort(generator.choice(4, size=103, p=(0.55, 0.3, 0.1, 0.05)) + 1)
# Of 1 to 9 samples, as many of a size as there are groups of it
GROUPS = numpy.repeat(numpy.arange(21), [1, 9, 3, 4, 7, 5, 2, 6, 8, 5, 4, 3, 9, 7, 6, 5, 4, 3, 2, 6, 4])
SHUFFLED = generator.permutation(LABELS)


def counts(labels, parts):
    return [numpy.bincount(labels[part], minlength=5)[1:].tolist() for part in parts]


def folds(splitter, labels=LABELS, groups=None):
    return counts(labels, [held_out for _, held_out in splitter.split(labels, labels, groups)])


def split(fraction):
    samples = numpy.arange(len(LABELS))
    return counts(LABELS, model_selection.train_test_split(
        samples, train_size=fraction, stratify=LABELS, random_state=1))


write({
    "stratified folds": {
        "labels": LABELS.tolist(),
        "counts": folds(model_selection.StratifiedKFold(5, shuffle=True, random_state=1)),
    },
    "stratified split": {
        "labels": LABELS.tolist(), "fraction": 0.3, "counts": split(0.3),
    },
    "groups": {
        "labels": SHUFFLED.tolist(), "groups": GROUPS.tolist(),
        "counts": folds(model_selection.GroupKFold(4), SHUFFLED, GROUPS),
    },
    "stratified groups": {
        "labels": SHUFFLED.tolist(), "groups": GROUPS.tolist(),
        "counts": folds(model_selection.StratifiedGroupKFold(4), SHUFFLED, GROUPS),
    },
})
