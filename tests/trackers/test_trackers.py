import sys
import types
import warnings

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

import autofix
from autofix.recipe import Recipe
from autofix.remedies import SetLearningRate
from autofix.report import Report
from autofix.report.records import Finding, RunRecord, TrialRecord
from autofix.scoring.assess import Assessment
from autofix.trackers import Trackers, open_trackers
from autofix.trackers.mlflow import MLflowTracker
from autofix.trackers.tensorboard import TensorBoardTracker

RATE = SetLearningRate("lower_learning_rate", factor=0.01, was=1.0)


def assessment(skill: float, name: str = "output") -> Assessment:
    return Assessment(33, skill / 2, skill, skill - 0.1, skill + 0.1, 1.0, 1.0, True, False, name)


def trial(skill: float, rung: int) -> TrialRecord:
    return TrialRecord(rung, Recipe((RATE,)), {}, skill, skill - 0.1, skill + 0.1, 0.5, 0.25, "rejected")


REPORT = Report(
    RunRecord(
        "repaired",
        findings=(Finding("learning_rate_too_high", 0.9, "It is 1."),),
        trials=(trial(float("nan"), 0), trial(0.5, 1), trial(0.75, 1)),
        recipe=Recipe((RATE,)),
        seconds={"trials": 1.5, "total": 2.5},
    )
)


def tell(tracker) -> None:
    tracker.begin({"order": "evidence", "max_trials": 60})
    tracker.look("own", 1, [assessment(-0.5)])
    tracker.look("own", 2, [assessment(-0.25)])
    tracker.look("repaired", 9, [assessment(0.75)])
    tracker.finish(REPORT)


def events(folder, tag: str) -> list[tuple[int, float]]:
    """The steps and values of a scalar, as TensorBoard itself reads them."""
    accumulator = EventAccumulator(str(folder)).Reload()
    return [(event.step, make_ndarray(event.tensor_proto).item()) for event in accumulator.Tensors(tag)]


def test_tensorboard_reads_looks_and_trials(tmp_path):
    tell(TensorBoardTracker(tmp_path / "logs"))
    assert events(tmp_path / "logs/own", "autofix/skill") == [(1, -0.5), (2, -0.25)]
    assert events(tmp_path / "logs/own", "autofix/spread") == [(1, -0.25), (2, -0.125)]
    assert events(tmp_path / "logs/repaired", "autofix/skill") == [(9, 0.75)]
    assert [step for step, _ in events(tmp_path / "logs/search", "autofix/trial/skill")] == [0, 1, 2]
    assert events(tmp_path / "logs/search", "autofix/trial/rung") == [(0, 0.0), (1, 1.0), (2, 1.0)]
    ((_, page),) = events(tmp_path / "logs/search", "autofix/report")
    assert "repaired: the model fell far short" in page.decode()


def test_outputs_are_told_apart_by_name(tmp_path):
    tracker = TensorBoardTracker(tmp_path)
    tracker.look("own", 1, [assessment(0.5, "price"), assessment(0.25, "kind")])
    tracker.finish(REPORT)
    assert events(tmp_path / "own", "autofix/skill/price") == [(1, 0.5)]
    assert events(tmp_path / "own", "autofix/skill/kind") == [(1, 0.25)]


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("mlflow")
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database takes ten times as long to set up
        module.set_tracking_uri((folder / "runs").as_uri())
        module.set_experiment("tests")
        yield module
        module.set_tracking_uri(None)


@pytest.mark.filterwarnings("default")  # of MLflow's own
def test_mlflow_has_settings_metrics_and_the_report(mlflow):
    with mlflow.start_run() as run:
        (tracker,) = MLflowTracker.of_active_run(mlflow)
        tell(tracker)
        tracker.begin({"order": "ladder", "accept": 0.9})  # of a second training in the same run
    data = mlflow.get_run(run.info.run_id).data
    assert data.params == {"autofix.order": "evidence", "autofix.max_trials": "60", "autofix.accept": "0.9"}
    assert data.metrics["autofix.skill"] == -0.25
    assert data.metrics["autofix.repaired.skill"] == 0.75
    assert data.metrics["autofix.trial.skill"] == 0.75
    assert data.metrics["autofix.seconds.total"] == 2.5
    tags = {name: value for name, value in data.tags.items() if name.startswith("autofix.")}
    assert tags == {
        "autofix.verdict": "repaired",
        "autofix.cause": "learning_rate_too_high",
        "autofix.fix": "lower_learning_rate",
    }
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "autofix.skill")
    assert [(one.step, one.value) for one in history] == [(1, -0.5), (2, -0.25)]
    assert Report.from_json(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/autofix/report.json")) == REPORT
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/autofix/report.txt") == str(REPORT)


@pytest.mark.filterwarnings("default")
def test_without_an_active_run_nothing_is_written_to_mlflow(mlflow):
    assert MLflowTracker.of_active_run(mlflow) == []


def test_mlflow_is_never_imported_here(monkeypatch):
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)
    assert not open_trackers()
    assert "mlflow" not in sys.modules


def test_a_module_that_is_called_mlflow_but_is_another_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    assert not open_trackers()


class Broken:
    name = "Broken"
    told = 0

    def begin(self, parameters):
        self.told += 1

    def look(self, training, epoch, heads):
        self.told += 1
        raise OSError("disk full")

    def finish(self, report):
        self.told += 1


def test_a_tracker_that_fails_is_warned_of_once_and_told_no_more(tmp_path):
    broken, whole = Broken(), TensorBoardTracker(tmp_path)
    with pytest.warns(autofix.AutofixWarning, match="Broken gets no more of this run.*disk full"):
        tell(Trackers([broken, whole]))
    assert broken.told == 2
    assert len(events(tmp_path / "own", "autofix/skill")) == 2


def test_fit_writes_its_looks_and_calls_the_users_callbacks(make_model, plane, tmp_path):
    import keras

    x, y = plane
    weights = []
    for log_dir in (None, tmp_path / "logs"):
        model = make_model(optimizer=keras.optimizers.Adam(0.05))
        board = keras.callbacks.TensorBoard(tmp_path / "own_board")
        history = autofix.fit(model, x, y, epochs=4, verbose=0, callbacks=[board], log_dir=log_dir)
        weights.append(model.get_weights())
    assert history.report.verdict == "healthy"
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    shown = events(tmp_path / "logs/own", "autofix/skill")
    assert [step for step, _ in shown] == [1, 2, 4]
    assert shown[-1][1] == pytest.approx(history.report.before[0].skill)
    assert len(events(tmp_path / "own_board/train", "epoch_loss")) == 8


def test_a_log_dir_that_cannot_be_made_warns_and_trains(make_model, plane, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(autofix.AutofixWarning, match="TensorBoard gets no more of this run"):
        history = autofix.fit(make_model(), *plane, epochs=2, verbose=0, log_dir=tmp_path / "file" / "logs")
    assert len(history.history["loss"]) == 2


def test_a_log_dir_that_is_no_path_is_refused(make_model, plane):
    with pytest.raises(autofix.ArgumentError, match="log_dir is no path"):
        autofix.fit(make_model(), *plane, log_dir=3)


@pytest.mark.slow
def test_a_repaired_training_has_its_trials_and_its_own_looks(tmp_path):
    import keras

    from autofix.benchmarks.published import PROGRAMS

    keras.utils.set_random_seed(0)
    x, y = PROGRAMS[1].make_data(100, np.random.default_rng(0))
    report = autofix.fit(PROGRAMS[1].build(), x, y, epochs=40, verbose=0, log_dir=tmp_path).report
    assert report.verdict == "repaired"
    skills = [value for _, value in events(tmp_path / "search", "autofix/trial/skill")]
    np.testing.assert_allclose(skills, [trial.skill for trial in report.trials], rtol=1e-6)
    looks = events(tmp_path / "repaired", "autofix/skill")
    assert [epoch for epoch, _ in looks] == [1, 2, 4, 8, 16, 32, 40]
    assert looks[-1][1] == pytest.approx(report.after[0].skill)
    assert events(tmp_path / "own", "autofix/skill")[-1][1] == pytest.approx(report.before[0].skill)
