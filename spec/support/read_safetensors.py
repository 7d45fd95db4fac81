"""Read a safetensors file with nothing but json and numpy, as an independent reader would.

python3 read_safetensors.py FILE [x ...]: one line "name shape dtype sum" for each tensor, then, where
numbers follow, one line "A a1 a2 ..." with the outputs of the network for this one sample.
"""

import json
import sys

import numpy

with open(sys.argv[1], "rb") as file:
    size = int.from_bytes(file.read(8), "little")
    header, data = json.loads(file.read(size)), file.read()
metadata = header.pop("__metadata__")
dtypes = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "U8": "u1"}
tensors = {}
for name, place in header.items():
    begin, end = place["data_offsets"]
    numbers = numpy.frombuffer(data[begin:end], dtypes[place["dtype"]])
    tensors[name] = numbers.reshape(place["shape"])
    shape = "x".join(map(str, place["shape"]))
    print(name, shape, place["dtype"], repr(float(numbers.sum(dtype="f8"))))

sigma = {"identity": lambda z: z, "relu": lambda z: z.clip(0), "tanh": numpy.tanh}
if len(sys.argv) > 2:
    a = numpy.array([float(x) for x in sys.argv[2:]])
    for position, layer in enumerate(json.loads(metadata["network"])["layers"], 1):
        if layer["kind"] == "dense":
            weight, bias = (tensors[f"layers.{position}.{name}"] for name in ("weight", "bias"))
            a = sigma[layer["activation"]](weight.astype("f8") @ a + bias)
    print("A", *map(repr, map(float, a)))
