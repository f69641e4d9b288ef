from autofix.evidence import CurveProfile
from tests.strategies.records import case, changes, layer, prescribe, settings

HEAVY = CurveProfile(data_loss=1.0, penalty=50.0)
L2 = layer("a", arguments={"kernel_regularizer": "l2"}, penalty=50.0)


def dropout(rate, argument="rate"):
    return layer("d", kind="Dropout", arguments={argument: rate}, has_weights=False)


def test_heavy_dropout_becomes_light_or_none():
    assert settings("relax_regularization", case(dropout(0.9))) == {"rate": [0.2, 0.0]}
    assert changes(prescribe("relax_regularization", case(dropout(0.9)))) == {("d", "rate"): 0.2}
    assert changes(prescribe("relax_regularization", case(dropout(0.9)), rate=0.0)) == {("d", "rate"): 0.0}


def test_dropout_inside_recurrent_layers_and_noise_are_lowered_too():
    for argument in ("dropout", "recurrent_dropout", "stddev"):
        remedy = prescribe("relax_regularization", case(dropout(0.9, argument)))
        assert changes(remedy) == {("d", argument): 0.2}
        assert remedy.departure() == "It weakens the regularisation of d."


def test_penalties_that_outweigh_the_data_are_dropped():
    remedy = prescribe("relax_regularization", case(L2, curve=HEAVY))
    assert changes(remedy) == {("a", "kernel_regularizer"): None}
    assert remedy.code() == ["keras.layers.Dense(..., kernel_regularizer=None)   # 'a', was \"l2\""]
    assert settings("relax_regularization", case(L2, curve=HEAVY)) == {}


def test_penalties_that_outweighed_the_data_at_the_start_are_dropped():
    shrunk = CurveProfile(data_loss=1.0, penalty=0.0, start_data_loss=1.0, start_penalty=50.0)
    assert changes(prescribe("relax_regularization", case(L2, curve=shrunk))) == {("a", "kernel_regularizer"): None}


def test_light_regularisation_stays():
    light = CurveProfile(data_loss=1.0, penalty=0.01)
    assert prescribe("relax_regularization", case(L2, dropout(0.1), layer("plain"), curve=light)) is None
    assert changes(prescribe("relax_regularization", case(L2, dropout(0.9), curve=light))) == {("d", "rate"): 0.2}


def test_penalties_of_an_unknown_size_are_dropped():
    for loss in (float("nan"), 0.0):
        unknown = CurveProfile(data_loss=loss, start_data_loss=loss)
        assert prescribe("relax_regularization", case(L2, curve=unknown)) is not None
