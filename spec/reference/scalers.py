"""Columns of tables as scikit-learn prepares them: fitted to one part, applied to another."""

import numpy
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from common import matrix, write

random = numpy.random.RandomState(5)
NAN = float("nan")

# columns of very different ranges, one with a long tail, one with few different numbers
train = numpy.column_stack([
    random.normal(50, 12, 41),
    numpy.exp(random.normal(8, 2, 41)),
    random.randint(0, 5, 41),
    random.uniform(-1e-3, 1e-3, 41),
])
held_out = numpy.vstack([
    train[:5] * 1.01 + 1e-4, train.min(axis=0) * 0.5 - 1, train.max(axis=0) * 3 + 1,
    numpy.full(4, 2.0), train[7:9],
])


def clipped(scaled, clip):
    """Holzmueller et al. 2024"""
    return scaled / numpy.sqrt(1 + (scaled / clip) ** 2)


def scaled(scaler):
    fitted = scaler.fit(train)
    return {"train": matrix(fitted.transform(train)), "held_out": matrix(fitted.transform(held_out))}


def numbers():
    answers = {
        "standard": scaled(StandardScaler()),
        "min_max": scaled(MinMaxScaler()),
        "min_max lower=-1 upper=2": scaled(MinMaxScaler((-1, 2))),
        "robust": scaled(RobustScaler()),
        "quantile": scaled(QuantileTransformer(n_quantiles=41, output_distribution="normal")),
        "quantile count=7": scaled(QuantileTransformer(n_quantiles=7,
                                                       output_distribution="normal")),
    }
    for name in "standard", "robust":
        answers[f"{name} clip=3"] = {
            part: matrix(clipped(numpy.array(answers[name][part]).T, 3))
            for part in ("train", "held_out")
        }
    return answers


holes = train[:12, :2].copy()
holes[[1, 4, 5], 0] = NAN
probe = numpy.array([[NAN, 3.0], [60.0, 1.0]])


def imputed(**options):
    fitted = SimpleImputer(add_indicator=True, **options).fit(holes)
    return {"train": matrix(fitted.transform(holes)), "held_out": matrix(fitted.transform(probe))}


def imputation():
    def cells(x):
        return [[None if v != v else v for v in row] for row in matrix(x)]

    return {
        "X": {"train": [[v if v is not None else "?" for v in row] for row in cells(holes)],
              "held_out": [[v if v is not None else "?" for v in row] for row in cells(probe)]},
        "median": imputed(strategy="median"),
        "mean": imputed(strategy="mean"),
        "constant": imputed(strategy="constant", fill_value=-7.5),
    }


jobs = [["clerk"], ["nurse"], [None], ["smith"], ["nurse"]]
known = [["clerk"], ["nurse"], ["smith"], ["pilot"]]
NAMES = ["clerk", "nurse", "smith"]


def categories():
    one_hot = OneHotEncoder(categories=[NAMES], handle_unknown="ignore").fit(jobs[:2])
    with_missing = OneHotEncoder(categories=[NAMES + [None]], handle_unknown="ignore").fit(jobs)
    ordinal = OrdinalEncoder(categories=[NAMES], handle_unknown="use_encoded_value",
                             unknown_value=-1).fit(jobs[:2])
    return {
        "one_hot, unseen zeros": matrix(one_hot.transform(known).toarray()),
        "one_hot, missing place": matrix(with_missing.transform(jobs).toarray()),
        "ordinal, unseen zeros": matrix(ordinal.transform(known)),
    }


write({
    "X": {"train": matrix(train), "held_out": matrix(held_out)},
    "numbers": numbers(),
    "imputation": imputation(),
    "categories": categories(),
})
