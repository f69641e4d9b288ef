"""The network of a job: loaded from a file or made by a function, and compiled."""

import dataclasses
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from autofix.errors import ArgumentError, CodeError, ModelError
from autofix.jobs.code import call
from autofix.jobs.data import JobData
from autofix.jobs.problems import did_you_mean, near_miss, shown
from autofix.jobs.schema import Compile, Job
from autofix.scoring.alignment import one_hot
from autofix.scoring.losses import loss_forms

CALLBACKS = ("EarlyStopping", "ReduceLROnPlateau", "TerminateOnNaN")
"""Callbacks that a job file may name: they change the training only. Those that write files are left to the runner."""

FAMILIES = {
    "optimizer": keras.optimizers,
    "loss": keras.losses,
    "metric": keras.metrics,
    "learning rate schedule": keras.optimizers.schedules,
    "callback": keras.callbacks,
}
"""Where Keras keeps the classes that a job file names."""

ABSTRACT = ("Optimizer", "Loss", "Metric", "LearningRateSchedule", "LossScaleOptimizer")
"""Classes there that cannot be made from a config alone."""


SAFE_KERAS = (3, 13, 2)
"""The first version without a known way round the safe mode.

Source: CVE-2025-1550 (fixed in 3.9), CVE-2025-8747 and CVE-2025-9906 (3.11.0), CVE-2025-49655 (3.11.3), CVE-2026-1462.
"""


def load(job: Job, data: JobData | None = None, allow_code: bool = False) -> keras.Model:
    """The compiled model of a job.

    Args:
        job: Resolved. Initial weights are those of `job.seed`, where a function makes them.
        data: What `autofix.jobs.data.load` read. A function that makes the model gets `n_features` and `n_outputs` of
            it, where it has parameters of these names.
        allow_code: Whether functions that the job names may run.

    Raises:
        ModelError: The file cannot be loaded, a function returned no model, or it is not compiled and the job says
            nothing of that.
        ArgumentError: Keras does not take what `compile` holds.
        CodeError: A function may not run, or failed.
    """
    keras.utils.set_random_seed(job.seed)
    folder = Path(job.folder)
    if job.model.function is not None:
        sizes = {} if data is None else {"n_features": data.n_features, "n_outputs": data.n_outputs}
        offered = {name: size for name, size in sizes.items() if size is not None}
        model = call(job.model.function, folder, job.model.arguments, allow_code, offered)
        if not isinstance(model, keras.Model):
            raise ModelError(
                f"A function returned no model. Expected a keras.Model. Received: {type(model).__name__} from "
                f"{job.model.function}. Return the model."
            )
    else:
        assert job.model.file is not None
        model = load_keras_file(folder / job.model.file, allow_code)
    if job.compile is not None:
        model.compile(**compile_arguments(job.compile))
    if not model.compiled:
        raise ModelError(
            f"The model is not compiled. Expected a compiled model, or `compile` with a loss in the job. "
            f"Received: model={job.model.file or job.model.function!r}. Write compile: {{optimizer: adam, loss: mse}}."
        )
    return model


def load_keras_file(path: Path, allow_code: bool = False) -> keras.Model:
    """A model of a `.keras` file, in Keras' safe mode: code that the file holds does not run.

    Args:
        path: The file.
        allow_code: Whether the user allows code; files are then loaded with versions of Keras too whose safe mode can
            be got round.

    Raises:
        ModelError: The file cannot be loaded.
        CodeError: This version of Keras may run what the file holds.
    """
    if not allow_code and _version() < SAFE_KERAS:
        raise CodeError(
            f"A model file may run code with this version of Keras, even in its safe mode. Expected Keras "
            f"{'.'.join(map(str, SAFE_KERAS))} or later. Received: {keras.__version__}. Update Keras, or give "
            "--allow-code if you trust the file."
        )
    try:
        with warnings.catch_warnings():
            # Of a model that was saved before its first fit: the optimizer has no state yet, and needs none.
            warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
            return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # Keras raises what the file makes it raise
        raise ModelError(
            f"The model cannot be loaded. Expected a .keras file that holds no code of its own. Received: {path}: "
            f"{type(error).__name__}: {_first_line(error)}. Save it with model.save, or name a function."
        ) from error


def _version() -> tuple[int, ...]:
    """The version of Keras as numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", keras.__version__)[:3])


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """What is known of a model file.

    Args:
        is_compiled: Whether it was saved compiled.
        n_features: Of its one input of vectors; None for other inputs.
    """

    is_compiled: bool
    n_features: int | None


def file_facts(path: Path, allow_code: bool = False) -> FileFacts:
    """Looks at a model file, which is loaded as `load_keras_file` does.

    Raises:
        ModelError: It cannot be loaded.
        CodeError: It is not loaded with this version of Keras.
    """
    model = load_keras_file(path, allow_code)
    inputs = getattr(model, "inputs", None) or []
    is_vector = len(inputs) == 1 and len(inputs[0].shape) == 2
    return FileFacts(bool(model.compiled), inputs[0].shape[1] if is_vector else None)


def compile_arguments(settings: Compile) -> dict[str, Any]:
    """The arguments of `model.compile`.

    Raises:
        ArgumentError: Keras does not know a name or an argument.
    """
    given = settings.model_dump(exclude_none=True)
    return {key: compile_argument(key, value) for key, value in given.items()}


def compile_argument(key: str, value: Any) -> Any:
    """One argument of `model.compile` as Keras takes it.

    Raises:
        ArgumentError: Keras does not know a name or an argument.
    """
    families = {"optimizer": "optimizer", "loss": "loss", "metrics": "metric", "weighted_metrics": "metric"}
    if key == "optimizer":
        return built("optimizer", value)
    if key in families:
        return _each(families[key], value)
    return list(value) if isinstance(value, tuple) else value


def _each(family: str, value: Any) -> Any:
    """Objects in the form that `compile` takes: one, a list (of lists), or a mapping from outputs."""
    if isinstance(value, (list, tuple)):
        return [_each(family, one) for one in value]
    if isinstance(value, dict) and not {"name", "class_name"} & value.keys():
        return {output: _each(family, one) for output, one in value.items()}
    return None if value is None else built(family, value)


def built(family: str, config: Any) -> Any:
    """A Keras object from its config.

    Args:
        family: A key of `FAMILIES`.
        config: A name (`"adam"`), `{"name": "adam", "learning_rate": 0.01}`, or Keras' own form, `{"class_name":
            "Adam", "config": {...}}`.

    Returns:
        The object; of losses and metrics that are given by name alone, that name, where Keras reads it itself.

    Raises:
        ArgumentError: There is no such class, or it does not take the arguments.

    Example:

    >>> float(built("optimizer", {"name": "sgd", "learning_rate": 0.5}).learning_rate)
    0.5
    """
    name, arguments = _parts(family, config)
    if isinstance(config, str) and family in ("loss", "metric") and _keras_knows(family, name):
        return config  # `accuracy` becomes the one that fits the output, which Keras alone knows
    known = _classes(family)
    key = _key(name)
    if key not in known:
        public = [one.__name__ for one in known.values()]
        near = near_miss(name, [*public, *map(_snake_case, public)])
        raise ArgumentError(
            f"There is no such {family}. Expected a name that Keras knows. Received: {name!r}. "
            f"{near or did_you_mean(name, public)}"
        )
    if isinstance(arguments.get("learning_rate"), dict):
        arguments["learning_rate"] = built("learning rate schedule", arguments["learning_rate"])
    _refuse_configs(family, arguments)
    try:
        return known[key](**arguments)
    except Exception as error:
        raise ArgumentError(
            f"Keras does not take this {family}. Expected arguments of keras' {known[key].__name__}. "
            f"Received: {shown(config)}, which raised {type(error).__name__}: {_first_line(error)}. "
            "Correct the arguments."
        ) from error


def _first_line(error: Exception) -> str:
    """What an error says, without the pages that Keras may add."""
    return (str(error).strip().splitlines() or [""])[0].rstrip(".")


def _parts(family: str, config: Any) -> tuple[str, dict[str, Any]]:
    """Class and arguments of a config."""
    if isinstance(config, str):
        return config, {}
    if isinstance(config, Mapping):
        rest = {key: value for key, value in config.items() if key not in ("module", "registered_name", "build_config")}
        if isinstance(rest.get("class_name"), str) and isinstance(rest.get("config", {}), dict):
            return rest["class_name"], dict(rest.get("config", {}))
        if isinstance(rest.get("name"), str):
            return rest.pop("name"), rest
    raise ArgumentError(
        f"This is no {family}. Expected its name, or a mapping with `name` and arguments. Received: {shown(config)}. "
        "Write {name: …}."
    )


def _refuse_configs(family: str, value: Any) -> None:
    """Raises for configs inside arguments: some versions of Keras import whatever module a config names."""
    if isinstance(value, Mapping):
        if {"module", "class_name", "registered_name"} & value.keys():
            raise ArgumentError(
                f"An argument of a {family} is a config of another object. Expected numbers, texts and lists. "
                f"Received: {shown(dict(value))}. Leave it out."
            )
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            _refuse_configs(family, one)


def _key(name: str) -> str:
    """`MeanSquaredError` and `mean_squared_error` are one."""
    return name.lower().replace("_", "")


def _snake_case(name: str) -> str:
    """`mean_squared_error` for `MeanSquaredError`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _classes(family: str) -> dict[str, type]:
    """The classes of a family by their keys. Only these are made: no config reaches other code."""
    home = FAMILIES[family]
    names = CALLBACKS if family == "callback" else dir(home)
    found = {name: getattr(home, name) for name in names if not name.startswith("_") and name not in ABSTRACT}
    return {_key(name): one for name, one in found.items() if isinstance(one, type)}


def _keras_knows(family: str, name: str) -> bool:
    """Whether Keras reads a name itself: `mse`, `accuracy`, or what the user's code registered."""
    if name in ("crossentropy", "ce") or (family == "metric" and name in ("accuracy", "acc")):
        return True  # for `compile` to choose by the shape of the output
    try:
        return FAMILIES[family].get(name) is not None
    except (ValueError, TypeError):
        return False


def fit_arguments(job: Job, data: JobData, model: keras.Model) -> dict[str, Any]:
    """The arguments of `autofix.fit` beside the model, the log's `verbose` and the trials' `directory`.

    Raises:
        ArgumentError: Keras does not take a callback, or a class of `class_weight` is none.
    """
    settings = job.fit.model_dump(exclude={"callbacks", "class_weight"})
    y, *held = (targets_for(model, data, y) for y in (data.y, *([data.validation[1]] if data.validation else [])))
    return {
        **settings,
        "x": data.x,
        "y": y,
        "validation_data": (data.validation[0], held[0]) if data.validation else None,
        "callbacks": [built("callback", one) for one in job.fit.callbacks],
        "class_weight": _class_weight(job, data),
        **job.autofix.model_dump(),
        "seed": job.seed if job.autofix.seed is None else job.autofix.seed,
        "strategies": None if job.autofix.strategies is None else list(job.autofix.strategies),
    }


def targets_for(model: keras.Model, data: JobData, y: Any) -> Any:
    """Targets in the form that the model's loss takes: encoded classes one-hot for `categorical_crossentropy`.

    Args:
        model: Compiled.
        data: With the names of the classes.
        y: Targets of training, validation or test rows.
    """
    if not data.class_names or not isinstance(y, np.ndarray) or y.ndim != 1:
        return y
    names = [name for name, _ in loss_forms(model, y)]
    is_one_hot = len(names) == 1 and names[0].startswith("categorical")
    return one_hot(y, len(data.class_names)).astype(np.float32) if is_one_hot else y


def _class_weight(job: Job, data: JobData) -> dict[int, float] | None:
    """The weights by class number."""
    if job.fit.class_weight is None:
        return None
    weights = {}
    for label, weight in job.fit.class_weight.items():
        if data.class_names and label in data.class_names:
            weights[data.class_names.index(label)] = weight
        elif not data.class_names and label.isdigit():
            weights[int(label)] = weight
        else:
            raise ArgumentError(
                f"A weight is for no class. Expected classes of the target in fit.class_weight. Received: {label!r}. "
                f"{did_you_mean(label, data.class_names)}"
            )
    return weights
