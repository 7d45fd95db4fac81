"""What the programs of this folder share: each prints, as JSON, inputs and what PyTorch or
scikit-learn makes of them in double precision, for specs to compare with.

`make reference` writes the output of NAME.py to NAME.json, which is kept, so that the specs need no
Python; where Python has the libraries, spec/reference_spec.lua checks that they still say the same.
"""

import json

import numpy


def matrix(x):
    """Rows of numbers as our matrices are written, from samples in rows: ours are in columns."""
    x = numpy.asarray(x, dtype=numpy.float64)
    return numpy.atleast_2d(x).T.tolist()


def write(answers):
    """Print all answers, a line for each, so that a change shows where it is."""
    lines = [f"{json.dumps(name)}: {json.dumps(answers[name])}" for name in sorted(answers)]
    print("{\n" + ",\n".join(lines) + "\n}")
