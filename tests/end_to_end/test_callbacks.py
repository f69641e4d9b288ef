"""Each callback of the user sees one training: the one that counts, and no trial, no epoch of the stopped one."""

import csv
import functools
import io
import json
import pathlib
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

import autofix
from autofix.watch import Watch

N_ROWS = 96
EPOCHS = 16
COLLAPSING, HEALTHY = 1.0, 0.1

LambdaCallback = keras.callbacks.LambdaCallback


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).uniform(size=(N_ROWS, 2)).astype("float32")
    return x, 2.0 * x[:, 0] + 3.0 * x[:, 1]


def build(rate, **options):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(10, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile(optimizer=keras.optimizers.Adam(rate, **options), loss="mse")
    return model


def train(fit, data, callbacks, rate=COLLAPSING, optimizer=None, **options):
    """Trains with `model.fit` or `autofix.fit`; returns the model and its History."""
    model = build(rate, **(optimizer or {}))
    if fit is autofix.fit:
        options = {"strategies": ["lower_learning_rate"], "max_trials": 6, **options}
    x, y = data
    return model, fit(
        model, x, y, epochs=EPOCHS, batch_size=8, verbose=0, callbacks=callbacks, validation_data=data, **options
    )


class Events(keras.callbacks.Callback):
    """Everything that happens, in order, with the model that it happens to."""

    def __init__(self):
        super().__init__()
        self.events = []
        self.models = set()

    def __getattribute__(self, name):
        if name.startswith("on_") and name not in ("on_batch_begin", "on_batch_end"):
            return functools.partial(self._record, name)
        return super().__getattribute__(name)

    def _record(self, name, number=None, logs=None):
        self.models.add(id(self.model))
        self.events.append((name, number if isinstance(number, int) else None))


def every_event(_):
    callback = Events()
    events = callback.events
    return callback, lambda: (list(events), events is callback.events, len(callback.models))


class Book:
    """An object of the user's, as callbacks keep their records in."""

    pages = 0
    __slots__ = ("entries", "latest")

    def __init__(self):
        self.entries = []

    def enter(self, epoch):
        Book.pages += 1
        self.entries.append(epoch)
        self.latest = epoch


class Keeping(keras.callbacks.Callback):
    seen = 0

    def __init__(self, book):
        super().__init__()
        self.book = book
        self.by_epoch = np.zeros(EPOCHS, int)
        self.rng = np.random.default_rng(0)
        self.epochs = keras.metrics.Sum()
        self.steps = tf.Variable(0)

    def on_train_batch_end(self, batch, logs=None):
        self.steps.assign_add(1)

    def on_epoch_end(self, epoch, logs=None):
        type(self).seen += 1
        self.book.enter(epoch)
        self.by_epoch[epoch] += 1
        self.drawn = self.rng.random()
        self.epochs.update_state(1.0)


def objects(_):
    Book.pages = Keeping.seen = 0
    book = Book()
    callback = Keeping(book)
    values = callback.by_epoch

    def read():
        counted = [Book.pages, Keeping.seen, int(callback.epochs.result()), int(callback.steps), callback.drawn]
        return book.entries, book.latest, callback.book is book, values.tolist(), counted

    return callback, read


def closures(_):
    count, log = 0, []

    def end(epoch, logs):
        nonlocal count
        count += 1
        log.append(epoch)

    return LambdaCallback(on_epoch_end=end), lambda: (count, log)


N_EPOCHS_SEEN = 0
EPOCHS_SEEN: list[int] = []


def count_globally(epoch, logs):
    global N_EPOCHS_SEEN
    N_EPOCHS_SEEN += 1
    EPOCHS_SEEN.append(epoch)


def module_globals(_):
    global N_EPOCHS_SEEN
    N_EPOCHS_SEEN = 0
    EPOCHS_SEEN.clear()
    return LambdaCallback(on_epoch_end=count_globally), lambda: (N_EPOCHS_SEEN, list(EPOCHS_SEEN))


def bound_methods(_):
    table, begins = {}, []
    callback = LambdaCallback(on_epoch_end=table.__setitem__, on_train_begin=begins.append)
    return callback, lambda: (list(table), len(begins))


def mocks(_):
    called = mock.MagicMock()
    callback = LambdaCallback(on_epoch_end=called)
    return callback, lambda: (called.call_count, [call.args[0] for call in called.call_args_list])


def text_in_memory(_):
    text = io.StringIO()
    writer = csv.writer(text)
    return LambdaCallback(on_epoch_end=lambda epoch, logs: (text, writer.writerow([epoch]))), text.getvalue


def history(_):
    callback = keras.callbacks.History()
    held = callback.history
    return callback, lambda: (callback.epoch, {name: len(values) for name, values in held.items()})


def file_closed_at_the_end(folder):
    """The example in the documentation of LambdaCallback: opened before the training, closed at its end."""
    log = open(folder / "log.json", "w", buffering=1)  # noqa: SIM115
    callback = LambdaCallback(
        on_epoch_end=lambda epoch, logs: log.write(json.dumps({"epoch": epoch, "loss": logs["loss"]}) + "\n"),
        on_train_end=lambda logs: log.close(),
    )

    def read():
        epochs = [json.loads(line)["epoch"] for line in (folder / "log.json").read_text().splitlines()]
        return log.closed, epochs[-EPOCHS:]  # what the stopped training wrote cannot be taken back

    return callback, read


def csv_file(folder):
    path = folder / "log.csv"
    return keras.callbacks.CSVLogger(path), lambda: epochs_in(path)


def csv_file_that_is_appended_to(folder):
    path = folder / "appended.csv"
    path.write_text("epoch,loss,val_loss\n7,0.5,0.5\n")
    return keras.callbacks.CSVLogger(path, append=True), lambda: epochs_in(path)


def new_csv_file_that_is_appended_to(folder):
    path = folder / "new.csv"
    return keras.callbacks.CSVLogger(path, append=True), lambda: epochs_in(path)


class Wrapping(keras.callbacks.Callback):
    """A callback of the user's that has one of Keras' do the work."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.on_train_begin, self.on_train_end = inner.on_train_begin, inner.on_train_end

    def on_epoch_end(self, epoch, logs=None):
        self.inner.on_epoch_end(epoch, logs)


def csv_file_of_a_wrapped_callback(folder):
    path = folder / "wrapped.csv"
    return Wrapping(keras.callbacks.CSVLogger(path, append=True)), lambda: epochs_in(path)


def epochs_in(path):
    return path.read_text().splitlines()[0], [int(line.split(",")[0]) for line in path.read_text().splitlines()[1:]]


def checkpoints(folder):
    (folder / "notes.txt").write_text("mine")
    callback = keras.callbacks.ModelCheckpoint(
        f"{folder}/epochs/{{epoch:02d}}/{{loss:.9f}}.weights.h5", save_weights_only=True
    )
    return callback, lambda: (
        sorted((path.parent.name, len(list(path.parent.iterdir()))) for path in folder.glob("epochs/*/*.h5")),
        (folder / "notes.txt").read_text(),
    )


def one_checkpoint(folder):
    callback = keras.callbacks.ModelCheckpoint(folder / "model.keras")
    return callback, lambda: keras.saving.load_model(folder / "model.keras").count_params()


def events_for_tensorboard(folder):
    (folder / "logs" / "train").mkdir(parents=True)
    (folder / "logs" / "train" / "events.out.tfevents.1.other.1.0.v2").write_text("of another process")
    callback = keras.callbacks.TensorBoard(folder / "logs", update_freq=1)

    def read():
        found = {}
        for path in (folder / "logs").glob("*/*"):
            if ".other." not in path.name:
                values = (event.summary.value for event in tf.compat.v1.train.summary_iterator(str(path)))
                names = [value.tag for value in values for value in value]
                found.setdefault(path.parent.name, []).append({name: names.count(name) for name in set(names)})
        return found, len(list((folder / "logs" / "train").glob("*.other.*")))

    return callback, read


def backup(folder):
    return keras.callbacks.BackupAndRestore(folder / "backup"), lambda: (folder / "backup").exists()


def backup_that_stays(folder):
    callback = keras.callbacks.BackupAndRestore(folder / "kept", delete_checkpoint=False, double_checkpoint=True)
    return callback, lambda: (
        json.loads((folder / "kept" / "training_metadata.json").read_text()),
        sorted(path.name for path in (folder / "kept").iterdir()),
    )


def progress_bar(_):
    callback = keras.callbacks.ProgbarLogger()
    return callback, lambda: (callback.seen, callback.target, callback.epochs)


def nothing_recorded(_):
    return keras.callbacks.TerminateOnNaN(), lambda: None


STYLES = (
    every_event,
    objects,
    closures,
    module_globals,
    bound_methods,
    mocks,
    text_in_memory,
    history,
    file_closed_at_the_end,
    csv_file,
    csv_file_that_is_appended_to,
    new_csv_file_that_is_appended_to,
    csv_file_of_a_wrapped_callback,
    checkpoints,
    one_checkpoint,
    events_for_tensorboard,
    backup,
    backup_that_stays,
    progress_bar,
    nothing_recorded,
)
"""What a callback may be: each makes one in a folder, and says how to read what it recorded, losses left out."""


def records_of(fit, data, folder: pathlib.Path, styles=STYLES, **options):
    """One training with several styles of callbacks: what each recorded, the model and its History."""
    folder.mkdir()
    made = [style(folder) for style in styles]
    model, history = train(fit, data, [callback for callback, _ in made], **options)
    return {style.__name__: read() for style, (_, read) in zip(styles, made, strict=True)}, model, history


@pytest.fixture(scope="module")
def plain(data, tmp_path_factory):
    return records_of(keras.Model.fit, data, tmp_path_factory.mktemp("plain") / "files")


@pytest.fixture(scope="module")
def repaired(data, tmp_path_factory):
    trained = records_of(autofix.fit, data, tmp_path_factory.mktemp("repaired") / "files")
    assert trained[2].report.verdict == "repaired", str(trained[2].report)
    assert trained[2].report.trials
    return trained


@pytest.mark.parametrize("style", [style.__name__ for style in STYLES])
def test_after_a_repair_a_callback_has_recorded_one_training(plain, repaired, style):
    assert repaired[0][style] == plain[0][style]


def test_what_is_compared_is_the_whole_training(plain):
    records = plain[0]
    events = records["every_event"][0]
    assert [number for name, number in events if name == "on_epoch_end"] == list(range(EPOCHS))
    assert records["closures"] == (EPOCHS, list(range(EPOCHS)))
    assert records["csv_file_that_is_appended_to"][1] == [7, *range(EPOCHS)]
    assert len(records["checkpoints"][0]) == EPOCHS
    assert records["events_for_tensorboard"][0]["train"][0]["epoch_loss"] == EPOCHS
    assert records["backup_that_stays"][0]["epoch"] == EPOCHS


def test_the_history_of_the_user_is_the_one_that_comes_back(repaired):
    _, model, history = repaired
    assert len(history.epoch) == len(history.history["loss"]) == EPOCHS
    assert model.history is history


def test_a_repaired_training_starts_where_the_trials_did(data, tmp_path):
    """What Keras' callbacks measured in the stopped training has no bearing on the one that counts."""
    stopping = keras.callbacks.EarlyStopping("loss", patience=EPOCHS, restore_best_weights=True)
    plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=EPOCHS)
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "worst.weights.h5", "loss", save_best_only=True, save_weights_only=True, mode="max"
    )
    rates = []
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rates.append(rate) or rate * 0.97)
    model, history = train(autofix.fit, data, [stopping, plateau, checkpoint, schedule])
    assert history.report.verdict == "repaired", str(history.report)
    losses = history.history["loss"]
    assert plateau.best == min(losses)
    assert (stopping.best, stopping.best_epoch) == (min(losses), int(np.argmin(losses)))
    assert checkpoint.best == max(losses)  # Keras never sets it back, and the stopped training had larger ones
    for weights, best in zip(model.get_weights(), stopping.best_weights, strict=True):
        np.testing.assert_array_equal(weights, best)
    np.testing.assert_allclose(rates, rates[0] * 0.97 ** np.arange(EPOCHS), rtol=1e-5)
    assert rates[0] < COLLAPSING


def test_averaged_weights_are_swapped_in_once(data):
    callback = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    optimizer = {"use_ema": True, "ema_momentum": 0.5}
    plain, _ = train(keras.Model.fit, data, [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)], 0.1, optimizer)
    model, history = train(autofix.fit, data, [callback], optimizer=optimizer)
    assert history.report.verdict == "repaired", str(history.report)
    assert callback._ema_weights_in_model
    for one in (plain, model):
        for weights, average in zip(
            one.trainable_variables, one.optimizer._model_variables_moving_average, strict=True
        ):
            np.testing.assert_array_equal(weights, average)


def test_an_interrupted_training_is_repaired_too(data, tmp_path):
    """The backup is of the network that collapsed: the repaired one must not go on from it."""

    class Interrupting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(keras.Model.fit, data, [keras.callbacks.BackupAndRestore(tmp_path / "backup"), Interrupting()])
    _, history = train(autofix.fit, data, [keras.callbacks.BackupAndRestore(tmp_path / "backup")])
    assert history.report.verdict == "repaired", str(history.report)
    assert history.epoch == list(range(4, EPOCHS))
    assert not (tmp_path / "backup").exists()


class Spoiling(keras.callbacks.Callback):
    """Has checkpoints written while the rate is the one that collapses; says so in a file of its own."""

    def __init__(self, checkpoints, path):
        super().__init__()
        self.checkpoints = checkpoints
        self.path = path

    def on_epoch_begin(self, epoch, logs=None):
        if float(self.model.optimizer.learning_rate) == COLLAPSING:
            for checkpoint in self.checkpoints:
                checkpoint.save_best_only = False
            with open(self.path, "a") as file:
                file.write(f"{epoch}\n")


def test_what_was_there_before_is_there_afterwards(data, tmp_path):
    """Files of other trainings, which the stopped one overwrites and the one that counts does not."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("best.weights.h5", "01-0.5.weights.h5", "02.weights.h5", "final.weights.h5"):
        (folder / name).write_bytes(f"{name} of another training".encode())
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    callbacks = [
        keras.callbacks.ModelCheckpoint(
            str(folder / name), "loss", save_best_only=True, save_weights_only=True, initial_value_threshold=-1.0
        )
        for name in ("best.weights.h5", "{epoch:02d}-{loss:.1f}.weights.h5", "{epoch:02d}.weights.h5")
    ]
    spoiled = tmp_path / "spoiled.txt"
    _, history = train(autofix.fit, data, [*callbacks, Spoiling(callbacks, spoiled)])
    assert history.report.verdict == "repaired", str(history.report)
    assert len(spoiled.read_text().splitlines()) > 1
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_what_was_sent_is_reported_as_what_cannot_be_called_back(data, tmp_path):
    received = tmp_path / "received.txt"

    def post(address, content, headers):
        with received.open("a") as file:
            file.write(f"{json.loads(content['data'])['epoch']} ")

    with mock.patch("keras.src.callbacks.remote_monitor.requests.post", post):
        _, history = train(autofix.fit, data, [keras.callbacks.RemoteMonitor()])
    assert history.report.verdict == "repaired", str(history.report)
    epochs = [int(epoch) for epoch in received.read_text().split()]
    assert epochs[-EPOCHS:] == list(range(EPOCHS))
    assert epochs[:-EPOCHS] == list(range(len(epochs) - EPOCHS))
    assert any("RemoteMonitor" in note for note in history.report.notes)


@pytest.mark.filterwarnings("ignore::autofix.CollapseWarning")
def test_a_training_that_starts_over_is_seen_once_too(data, plain, tmp_path, monkeypatch):
    """The repaired trainings collapse as well, so that there are several: the last one counts."""
    look_again = Watch.look_again

    def see_the_old_look(watch):
        look_again(watch)
        return watch.suspected

    monkeypatch.setattr(Watch, "look_again", see_the_old_look)
    styles = (every_event, objects, closures, mocks, history, file_closed_at_the_end, csv_file_that_is_appended_to)
    records, _, trained = records_of(autofix.fit, data, tmp_path / "files", styles)
    assert trained.report.verdict == "unrepaired"
    assert "The repaired training collapsed too" in str(trained.report)
    assert trained.history == plain[2].history
    assert records == {name: plain[0][name] for name in records}


def test_a_healthy_training_is_seen_as_it_is_in_keras(data, tmp_path):
    records, histories, weights = [], [], []
    for name, fit in (("plain", keras.Model.fit), ("watched", autofix.fit)):
        recorded, model, history = records_of(fit, data, tmp_path / name, rate=HEALTHY)
        records.append(recorded)
        histories.append(history)
        weights.append(model.get_weights())
    assert histories[1].report.verdict == "healthy"
    assert histories[1].report.trials == ()
    assert histories[0].history == histories[1].history
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)
    for style in records[0]:
        assert records[0][style] == records[1][style], style
    for name in ("log.csv", "appended.csv", "log.json"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "watched" / name).read_bytes()


def test_the_repaired_training_tells_the_callback_list_that_was_given(data):
    epochs = []

    class Told(keras.callbacks.CallbackList):
        def on_epoch_end(self, epoch, logs=None):
            epochs.append(epoch)
            super().on_epoch_end(epoch, logs)

    model = build(COLLAPSING)
    given = Told([Events()], add_history=True, model=model, epochs=EPOCHS)
    options = {"epochs": EPOCHS, "batch_size": 8, "verbose": 0}
    history = autofix.fit(model, *data, callbacks=given, strategies=["lower_learning_rate"], **options)
    assert history.report.verdict == "repaired"
    assert epochs[-EPOCHS:] == list(range(EPOCHS))
    assert len(epochs) > EPOCHS, "a list of the user's own is told of the stopped epochs too"
    assert [name for name, *_ in given.callbacks[0].events].count("on_epoch_end") == EPOCHS
