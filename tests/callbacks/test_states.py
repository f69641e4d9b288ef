"""Callbacks are put back in place: what the user holds is what is put back, and nothing else is touched."""

import collections
import enum
import functools
import io
import itertools
import queue
import random
import threading
import time
import types
from array import array
from types import SimpleNamespace
from unittest import mock

import keras
import numpy as np
import pytest
import rich.console
import tensorflow as tf

from autofix.callbacks import rewind
from autofix.callbacks.states import MAX_OBJECTS, CallbackStates

LambdaCallback = keras.callbacks.LambdaCallback

MODULE_COUNT = 0
MODULE_LOG: list[int] = []
UNRELATED: list[int] = []


def holding(**attributes):
    callback = keras.callbacks.Callback()
    vars(callback).update(attributes)
    return callback


def test_attributes_are_put_back_and_new_ones_go():
    callback = holding(count=1, best=None)
    states = CallbackStates([callback])
    for _ in range(2):
        callback.count, callback.best, callback.late = 5, 0.5, True
        del callback.params
        states.restore()
        assert (callback.count, callback.best, callback.params) == (1, None, None)
        assert not hasattr(callback, "late")


CONTAINERS = {
    "list": ([1], lambda value: value.extend([2, 3])),
    "sorted list": ([2, 1], lambda value: value.sort()),
    "dict": ({"b": 1, "a": 2}, lambda value: (value.pop("b"), value.update(b=3, c=4))),
    "set": ({1, 2}, lambda value: (value.add(3), value.discard(1))),
    "deque": (collections.deque([1, 2, 3], maxlen=3), lambda value: value.append(4)),
    "defaultdict": (collections.defaultdict(list, loss=[1.0]), lambda value: (value["loss"].append(2.0), value["mae"])),
    "ordered dict": (collections.OrderedDict(a=1, b=2), lambda value: value.move_to_end("a")),
    "counter": (collections.Counter("aab"), lambda value: value.update("bc")),
    "bytearray": (bytearray(b"one"), lambda value: value.extend(b"two")),
    "array": (array("d", [1.0]), lambda value: value.append(2.0)),
    "queue": (queue.Queue(), lambda value: value.put(1)),
    "namespace": (SimpleNamespace(n=0), lambda value: setattr(value, "n", 1)),
    "text": (io.StringIO(), lambda value: value.write("epoch 1")),
    "mock": (mock.MagicMock(), lambda value: value(1, logs={"loss": 1.0})),
}


def contents(value):
    if isinstance(value, queue.Queue):
        return list(value.queue)
    if isinstance(value, io.StringIO):
        return value.getvalue()
    if isinstance(value, mock.Mock):
        return value.call_count, list(value.call_args_list)
    return repr(value)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_container_that_the_user_holds_is_put_back_in_place(kind):
    value, change = CONTAINERS[kind]
    callback = holding(inner={"deep": (value,)})
    before = contents(value)
    states = CallbackStates([callback])
    for _ in range(2):
        change(value)
        assert contents(value) != before
        states.restore()
        assert contents(value) == before
        assert callback.inner["deep"][0] is value


def test_what_was_replaced_is_the_same_object_again():
    log = ["kept"]
    callback = holding(log=log)
    states = CallbackStates([callback])
    log.append("aborted")
    callback.log = ["another"]
    states.restore()
    assert callback.log is log
    assert log == ["kept"]


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "U5", "O"])
def test_arrays_are_put_back_in_place(dtype):
    value = np.zeros((3, 2)).astype(dtype)
    view, before = value[1:], value.copy()
    states = CallbackStates([holding(value=value, view=view)])
    value[1, 1] = 1
    assert (value != before).any()
    states.restore()
    np.testing.assert_array_equal(value, before)
    np.testing.assert_array_equal(view, before[1:])


def test_a_data_frame_is_put_back_in_place():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"epoch": [0], "loss": [1.0]})
    states = CallbackStates([holding(frame=frame)])
    for _ in range(2):
        frame.loc[1] = [1, 0.5]
        frame.loc[0, "loss"] = 2.0
        states.restore()
        assert frame.to_dict("list") == {"epoch": [0], "loss": [1.0]}


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.random.default_rng(0),
        lambda: np.random.RandomState(0),
        lambda: random.Random(0),
    ],
)
def test_generators_of_random_numbers_draw_the_same_again(make):
    generator = make()
    states = CallbackStates([holding(generator=generator)])
    drawn = [generator.uniform(0, 1) for _ in range(3)]
    states.restore()
    assert [generator.uniform(0, 1) for _ in range(3)] == drawn


def test_variables_metrics_and_other_models_are_put_back(make_model, plane):
    trained, teacher = make_model(), make_model(seed=1)
    teacher.optimizer.build(teacher.trainable_variables)
    late = keras.metrics.F1Score()  # it makes its variables when it is used first
    metric = keras.metrics.Mean()
    callback = holding(
        _model=trained,
        teacher=teacher,
        values=[tf.Variable([1.0]), keras.Variable(2.0), metric, late, tf.random.Generator.from_seed(1)],
    )
    states = CallbackStates([callback], trained)
    weights, noise = [value.copy() for value in teacher.get_weights()], callback.values[-1].normal(()).numpy()
    late.update_state(np.eye(2), np.eye(2))
    metric.update_state(3.0)
    callback.values[0].assign([5.0])
    callback.values[1].assign(6.0)
    for model in (trained, teacher):
        model.fit(*plane, verbose=0)
    reached = trained.get_weights()
    states.restore()
    assert [float(value) for value in (callback.values[0][0], callback.values[1], metric.result())] == [1.0, 2.0, 0.0]
    assert float(np.max(late.result())) == 0.0
    assert callback.values[-1].normal(()).numpy() == noise
    for before, after in zip(weights, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert int(teacher.optimizer.iterations) == 0
    for before, after in zip(reached, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)  # the model itself is put back elsewhere


class Slotted:
    __slots__ = ("__private", "late", "log")

    def __init__(self):
        self.log = []
        self.__private = 1

    def change(self):
        self.log.append(1)
        self.__private += 1
        self.late = True

    def private(self):
        return self.__private


def test_slots_are_put_back():
    slotted = Slotted()
    states = CallbackStates([holding(slotted=slotted)])
    slotted.change()
    states.restore()
    assert (slotted.log, slotted.private()) == ([], 1)
    assert not hasattr(slotted, "late")


def test_circles_and_long_chains_end():
    node = {"next": None, "log": []}
    first = node
    for _ in range(3000):
        node = {"next": node, "log": []}
    first["next"] = node
    callback = holding(node=node)
    node["back"] = callback
    states = CallbackStates([callback])
    first["log"].append(1)
    states.restore()
    assert first["log"] == []


class Tally:
    """An object of the user's, with a class attribute that counts."""

    made = 0
    names: list[str] = []  # noqa: RUF012

    def __init__(self):
        self.values = []

    def add(self, value):
        global MODULE_COUNT
        MODULE_COUNT += 1
        type(self).made += 1
        type(self).late = True
        self.names.append(str(value))
        self.values.append(value)
        helper(value)


def helper(value):
    MODULE_LOG.append(value)


class Counting(keras.callbacks.Callback):
    total = 0

    def __init__(self, tally):
        super().__init__()
        self.tally = tally

    def on_epoch_end(self, epoch, logs=None):
        type(self).total += 1
        self.tally.add(epoch)


def test_objects_their_classes_and_the_globals_of_their_methods_are_put_back():
    tally = Tally()
    callback = Counting(tally)
    states = CallbackStates([callback])
    for _ in range(2):
        callback.on_epoch_end(0)
        UNRELATED.append(0)
        assert (MODULE_COUNT, MODULE_LOG, Tally.made, Counting.total) == (1, [0], 1, 1)
        states.restore()
        assert (MODULE_COUNT, MODULE_LOG, Tally.made, Tally.names, Counting.total) == (0, [], 0, [], 0)
        assert not hasattr(Tally, "late")
        assert tally.values == []
    assert UNRELATED == [0, 0]  # no callback's code refers to it
    UNRELATED.clear()


def test_closures_are_put_back():
    count, log = 0, []

    def record(epoch, logs=None, seen=[]):  # noqa: B006
        nonlocal count
        count += 1

        def inner():
            log.append(epoch)

        inner()
        seen.append(epoch)
        record.calls = getattr(record, "calls", 0) + 1

    callback = LambdaCallback(
        on_epoch_end=record, on_epoch_begin=functools.partial(lambda store, epoch, logs: store.append(epoch), log)
    )
    states = CallbackStates([callback])
    for _ in range(2):
        callback.on_epoch_begin(0, {})
        callback.on_epoch_end(1, {})
        assert (count, log, record.calls) == (1, [0, 1], 1)
        states.restore()
        assert (count, log, record.__defaults__) == (0, [], (None, []))
        assert not hasattr(record, "calls")


def late_binding():
    """A callback that gives a variable of its surroundings its first value."""

    def record(epoch, logs):
        nonlocal first
        first = epoch

    if record is None:
        first = None
    return LambdaCallback(on_epoch_end=record), record.__closure__[0]


def test_a_closure_that_was_empty_is_empty_again():
    callback, cell = late_binding()
    states = CallbackStates([callback])
    callback.on_epoch_end(3, {})
    assert cell.cell_contents == 3
    states.restore()
    with pytest.raises(ValueError, match="empty"):
        cell.cell_contents  # noqa: B018
    states.restore()


@pytest.mark.parametrize("name", [{"__name__": "__main__"}, {}], ids=["script", "exec"])
def test_a_global_that_was_not_there_is_gone_again(name):
    space = {**name, "log": []}
    exec("def record(epoch, logs):\n    global late\n    late = epoch\n    log.append(epoch)\n", space)
    callback = LambdaCallback(on_epoch_end=space["record"])
    states = CallbackStates([callback])
    callback.on_epoch_end(1, {})
    assert space["late"] == 1
    states.restore()
    assert "late" not in space
    assert space["log"] == []


def test_attributes_of_own_modules_are_put_back_where_code_names_them():
    shared = types.ModuleType("shared_state")
    shared.count, shared.log, shared.other = 0, [], []
    space = {"__name__": "__main__", "shared": shared, "np": np}
    exec("def record(epoch, logs):\n    shared.count += 1\n    shared.log.append(np.float32(epoch))\n", space)
    callback = LambdaCallback(on_epoch_end=space["record"])
    states = CallbackStates([callback])
    callback.on_epoch_end(1, {})
    shared.other.append(1)
    states.restore()
    assert (shared.count, shared.log, shared.other) == (0, [], [1])


class Batches:
    def __init__(self):
        self.position = 0

    def __next__(self):
        self.position += 1
        return self.position


def test_iterators_stay_where_their_readers_have_come_to():
    batches = Batches()
    states = CallbackStates([holding(batches=batches)])
    next(batches)
    states.restore()
    assert batches.position == 1


def test_bound_methods_lead_to_their_objects():
    log, table, tally = [], {}, Tally()
    callback = LambdaCallback(
        on_train_begin=log.append, on_batch_end=table.__setitem__, on_epoch_end=lambda epoch, logs: tally.add(epoch)
    )
    states = CallbackStates([callback, LambdaCallback(on_train_begin=tally.add)])
    callback.on_train_begin("begin")
    callback.on_batch_end(0, {"loss": 1.0})
    tally.add(1)
    states.restore()
    assert (log, table, tally.values) == ([], {}, [])


def wrapper_of(function):
    @functools.wraps(function)
    def wrapped(*arguments):
        return function(*arguments)

    return wrapped


def test_decorated_functions_lead_to_what_they_wrap():
    log = []
    callback = LambdaCallback(on_epoch_end=wrapper_of(lambda epoch, logs: log.append(epoch)))
    states = CallbackStates([callback])
    callback.on_epoch_end(0, {})
    states.restore()
    assert log == []


class Hostile:
    """Everything that may run code of the user's does harm."""

    touched = 0

    def __init__(self):
        self.log = []

    def _touch(self, *arguments):
        Hostile.touched += 1
        raise RuntimeError("touched")

    __eq__ = __copy__ = __deepcopy__ = __len__ = __iter__ = __bool__ = __reduce_ex__ = _touch
    __hash__ = _touch
    value = property(_touch)

    def __getattr__(self, name):
        self._touch()


class Meta(type):
    def __hash__(cls):
        raise RuntimeError("touched")

    def __setattr__(cls, name, value):
        raise RuntimeError("touched")


class OfMeta(metaclass=Meta):
    pass


class Odd(dict):
    def __iter__(self):
        raise RuntimeError("touched")

    def __len__(self):
        raise RuntimeError("touched")

    def __setitem__(self, key, value):
        raise RuntimeError("touched")


class Colour(enum.Enum):
    RED = 1


def test_odd_objects_are_neither_run_nor_broken():
    hostile, odd = Hostile(), Odd(log=[])
    callback = holding(
        odd=odd,
        hostile=hostile,
        of_meta=OfMeta(),
        lock=threading.Lock(),
        condition=threading.Condition(),
        thread=threading.current_thread(),
        generator=(n for n in range(3)),
        counter=itertools.count(),
        module=keras,
        kind=keras.Model,
        colour=Colour.RED,
        proxy=__import__("weakref").proxy(hostile),
        read_only=np.broadcast_to(np.zeros(1), (4,)),
        closed=io.StringIO(),
        graph=tf.function(lambda value: value),
        data=tf.data.Dataset.range(3),
    )
    callback.closed.close()
    states = CallbackStates([callback])
    hostile.log.append(1)
    dict.__getitem__(odd, "log").append(1)
    states.restore()
    assert Hostile.touched == 0
    assert vars(hostile)["log"] == dict.__getitem__(odd, "log") == []
    assert list(callback.generator) == [0, 1, 2]
    assert not callback.lock.locked()


def test_modules_libraries_and_the_model_are_not_entered(make_model):
    model = make_model()
    model.own_log = []
    group = rich.console.Group()  # an object of a library
    callback = holding(_model=model, group=group, module=mock)
    states = CallbackStates([callback], model)
    model.own_log.append(1)
    mock.own_log = [1]
    group.own_log = [1]
    states.restore()
    assert list(model.own_log) == group.own_log == [1]
    assert mock.own_log == [1]
    del mock.own_log


def test_what_is_large_is_not_copied(monkeypatch):
    monkeypatch.setattr(rewind, "MAX_BYTES", 800)
    monkeypatch.setattr(rewind, "MAX_TOTAL_BYTES", 4000)
    large, small, many = np.zeros(101), np.zeros(100), [np.zeros(100) for _ in range(6)]
    callback = holding(large=large, small=small, log=[], many=many)
    states = CallbackStates([callback])
    for value in (large, small, *many):
        value += 1.0
    callback.log.append(1)
    states.restore()
    assert large[0] == 1.0
    assert small[0] == 0.0
    assert callback.log == []
    assert 0 < sum(value[0] == 1.0 for value in many) < 6


def test_a_snapshot_of_much_is_quick():
    data = np.zeros(2**27, np.uint8)  # 128 MiB, as a data set
    rows = [[float(row)] for row in range(10 * MAX_OBJECTS)]
    callback = holding(data=data, numbers=list(range(10**6)), rows=rows, log=[])
    started = time.process_time()
    states = CallbackStates([callback])
    assert time.process_time() - started < 1.0
    data[0] = 1
    callback.log.append(1)
    states.restore()
    assert data[0] == 1
    assert callback.log == []


class Plain(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.seen = epoch


def test_taking_a_snapshot_changes_nothing():
    callback = Plain()
    before = dict(vars(callback))
    states = CallbackStates([callback])
    assert vars(callback) == before
    assert states.notes == []


class Closing(keras.callbacks.Callback):
    """Closes at the end what it was given before."""

    def __init__(self, resource):
        super().__init__()
        self.resource = resource

    def on_train_end(self, logs=None):
        self.resource.close()


def test_the_end_is_withheld_from_callbacks_that_hold_something_open(tmp_path):
    ended = []
    with open(tmp_path / "log.txt", "w") as file:
        closing = Closing(file)
        lambdas = LambdaCallback(on_train_end=lambda logs: (ended.append(logs), file.write("end")))
        other = LambdaCallback(on_train_end=lambda logs: ended.append("other"))
        states = CallbackStates([closing, lambdas, other])
        states.withhold_ends()
        for callback in (closing, lambdas, other):
            callback.on_train_end({"loss": 1.0})
        assert not file.closed
        assert ended == ["other"]
        states.restore()
        assert ended == []
        states.withhold_ends()
        for callback in (lambdas, closing, other):
            callback.on_train_end({"loss": 0.5})
        states.deliver_ends()
        assert ended == ["other", {"loss": 0.5}]
        assert file.closed
    assert "on_train_end" not in vars(closing)
    assert (tmp_path / "log.txt").read_text() == "end"


def test_ends_are_withheld_no_longer_than_asked(tmp_path):
    with open(tmp_path / "log.txt", "w") as file:
        closing = Closing(file)
        states = CallbackStates([closing])
        states.withhold_ends()
        states.drop_ends()
        assert "on_train_end" not in vars(closing)
        closing.on_train_end()
        assert file.closed


@pytest.mark.parametrize(
    ("value", "is_closed_at_the_end"),
    [
        (lambda: tf.summary.create_noop_writer(), True),
        (lambda: threading.Lock(), False),
        (lambda: keras.Sequential(), False),
        (lambda: Tally(), False),
        (lambda: [1, 2], False),
    ],
)
def test_only_what_gets_closed_keeps_the_end_away(value, is_closed_at_the_end):
    callback = Closing([value()])
    CallbackStates([callback]).withhold_ends()
    assert ("on_train_end" in vars(callback)) == is_closed_at_the_end


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.seen = {"loss": [], "best": (None, [])}
        self.array = np.zeros(2)

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1
        self.seen["loss"].append(logs["loss"])
        self.seen["best"][1].append(epoch)
        self.array += 1.0
        self.late = True


def test_callbacks_of_a_training_are_put_back(make_model, plane):
    recorder, stopping = Recorder(), keras.callbacks.EarlyStopping(monitor="loss", patience=1)
    history = keras.callbacks.History()
    seen, values = recorder.seen, recorder.array
    states = CallbackStates([recorder, stopping, history])
    for _ in range(2):
        make_model().fit(*plane, epochs=2, verbose=0, callbacks=[recorder, stopping, history])
        assert recorder.count == len(seen["loss"]) == len(history.history["loss"]) == 2
        states.restore()
        assert recorder.count == 0
        assert recorder.seen is seen
        assert seen == {"loss": [], "best": (None, [])}
        assert not values.any()
        assert not hasattr(recorder, "late")
        assert history.history == {}
    assert stopping.wait == 0
    assert stopping.best_weights is None
