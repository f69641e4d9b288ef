import pytest

from autofix.recipe import Recipe
from autofix.remedies import (
    ChangeLayers,
    ClipGradients,
    HeadChange,
    InsertHiddenLayers,
    LayerChange,
    NormalizeInputs,
    ReplaceHeads,
    SetFitArgument,
    SetLearningRate,
)
from autofix.report import Report
from autofix.report.diff import diff
from autofix.report.records import RunRecord

CASES = {
    "rate": (
        SetLearningRate("s", factor=0.01, was=1.0),
        ["-optimizer=keras.optimizers.Adam(1.0)", "+optimizer=keras.optimizers.Adam(0.01)"],
    ),
    "rate of 0": (
        SetLearningRate("s", factor=1e-8, optimizer="SGD", was=0.0),
        ["-optimizer=keras.optimizers.SGD(0.0)", "+optimizer=keras.optimizers.SGD(1e-08)"],
    ),
    "schedule": (
        SetLearningRate("s", factor=0.1, was="CosineDecay"),
        ["+# optimizer: every rate of its CosineDecay schedule times 0.1"],
    ),
    "layer": (
        ChangeLayers("s", (LayerChange("dense", "Dense", "activation", "relu", "sigmoid"),)),
        [
            "-keras.layers.Dense(..., activation=\"sigmoid\")   # 'dense'",
            "+keras.layers.Dense(..., activation=\"relu\")   # 'dense'",
        ],
    ),
    "head": (
        ReplaceHeads("s", (None, HeadChange("out", None, "sigmoid", None, (1, "softmax", "binary_crossentropy")))),
        [
            "-keras.layers.Dense(1, activation=\"softmax\")   # 'out'",
            '+keras.layers.Dense(1, activation="sigmoid")',
        ],
    ),
    "loss": (
        ReplaceHeads("s", (HeadChange("out", None, None, "mean_squared_error", (1, "linear", "binary_crossentropy")),)),
        ['-model.compile(..., loss="binary_crossentropy")', '+model.compile(..., loss="mean_squared_error")'],
    ),
    "fit": (
        SetFitArgument("s", name="shuffle", value=True, was=False),
        ["-model.fit(..., shuffle=False)", "+model.fit(..., shuffle=True)"],
    ),
    "class weights": (
        SetFitArgument("s", name="class_weight", value=((0, 0.5), (1, 4.0))),
        ["+model.fit(..., class_weight={0: 0.5, 1: 4})"],
    ),
    "dataset": (
        SetFitArgument("s", name="batch_size", value=8, was=512, rebatches=512),
        ["+dataset = dataset.rebatch(8)   # was 512"],
    ),
    "clipping": (ClipGradients("s", global_clipnorm=1.0), ["+keras.optimizers.Adam(..., global_clipnorm=1.0)"]),
    "layers": (
        InsertHiddenLayers("s", units=8, depth=2),
        ['+keras.layers.Dense(8, activation="relu")   # before the output layer'] * 2,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_was_and_what_is_to_be_stand_below_each_other(name):
    remedy, lines = CASES[name]
    assert diff(Recipe((remedy,))) == lines
    assert all(compile(line[1:], "diff", "exec") for line in lines)


def test_numbers_that_are_cut_short_say_where_all_of_them_are():
    many = NormalizeInputs("s", mean=((1.0,) * 20,), variance=((1.0,) * 20,))
    assert diff(Recipe((many,)))[-1] == "+# report.to_script() has all of these numbers"
    few = NormalizeInputs("s", mean=((1.0, 2.0), None), variance=((1.0, 1.0), None))
    assert len(diff(Recipe((few,)))) == 1


def test_a_report_has_its_diff():
    remedies = (CASES["rate"][0], CASES["fit"][0])
    report = Report(RunRecord("repaired", recipe=Recipe(remedies)))
    assert report.diff.splitlines() == [*CASES["rate"][1], *CASES["fit"][1]]
    assert Report(RunRecord("healthy")).diff == ""
