"""The healthy programs: each learns its task with plain Keras, from every seed that was tried."""

from autofix.benchmarks.faults import data
from autofix.benchmarks.faults.programs import Base, Head, Options

CLASSES = {"loss": "sparse_categorical_crossentropy", "head_activation": "softmax", "head_units": 4}
BINARY = {"loss": "binary_crossentropy", "head_activation": "sigmoid"}

BASES = (
    Base("regression", "regression", data.waves, Options()),
    Base("binary", "binary", data.ring, Options(**BINARY)),
    Base("multiclass", "multiclass", data.quadrants, Options(**CLASSES), n_rows=600, epochs=30),
    Base("images", "multiclass", data.shapes, Options(body="convolutions", depth=1, **CLASSES), epochs=20),
    Base("tokens", "binary", data.tokens, Options(body="embedded_lstm", depth=0, **BINARY), n_rows=600, epochs=25),
    Base("series", "regression", data.series, Options(body="gru", depth=0), epochs=30),
    Base("codes", "regression", data.codes, Options(depth=1), n_rows=600, epochs=30),
)

DIGITS = {**CLASSES, "head_units": 10}
SAME_SIGN = Head(1, "sigmoid", "binary_crossentropy")

FURTHER_BASES = (
    Base("line", "regression", data.line, Options(depth=1, units=16)),
    Base("sides", "binary", data.sides, Options(depth=1, units=16, **BINARY)),
    Base("tails", "regression", data.tails, Options(), n_rows=600),
    Base("rare", "binary", data.rare, Options(**BINARY), n_rows=800, epochs=30),
    Base("digits", "multiclass", data.digits, Options(body="flat", **DIGITS), n_rows=700, epochs=15, is_finite=True),
    Base("pair", ("regression", "binary"), data.pair, Options(more_heads=(SAME_SIGN,)), n_rows=600),
)
"""Programs of further kinds, which the benchmark of all arms plants some faults into."""

BY_NAME = {base.name: base for base in (*BASES, *FURTHER_BASES)}
