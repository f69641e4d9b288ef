"""Estimators for scikit-learn: Keras models that `autofix.fit` trains, for pipelines, searches and cross-validation."""

import copy
import difflib
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_array, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from autofix.default_network import default_network
from autofix.errors import ArgumentError, DataError, ModelError
from autofix.fitting import fit
from autofix.measuring.class_outputs import class_probabilities, class_scores, class_targets, n_output_units
from autofix.report import Report
from autofix.scoring.alignment import one_hot
from autofix.state import preserved_randomness
from autofix.surgery.architecture import fresh_copy

DEFAULT_EPOCHS = 100
"""Keras' default of one epoch teaches a network next to nothing."""

SHORTHANDS = ("epochs", "batch_size", "verbose")
"""Arguments of `fit` that are parameters of an estimator too."""

FIT_ARGUMENTS = inspect.signature(fit).parameters.keys() - {"model", "x", "y", "sample_weight"}
"""What `fit_kwargs` may hold."""

NESTED = ("model_kwargs", "fit_kwargs")
"""Parameters whose items are parameters too, such as `model_kwargs__units`."""


class _AutofixEstimator(BaseEstimator):
    """What both estimators do: their parameters, a new model for each fit, and its training."""

    def __init__(
        self,
        model: keras.Model | Callable[..., keras.Model] | None = None,
        *,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        verbose: int | str | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs
        self.epochs = epochs
        self.batch_size = batch_size
        self.verbose = verbose
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name.

        Args:
            deep: Whether to list the items of `model_kwargs` and `fit_kwargs` too, as `model_kwargs__units`.
        """
        params = super().get_params(deep=deep)
        for name in NESTED if deep else ():
            if isinstance(params[name], dict):
                params.update({f"{name}__{key}": value for key, value in params[name].items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Sets parameters; `model_kwargs__units=8` sets an item of `model_kwargs`, whether it is there yet or not.

        Args:
            **params: Values by name.
        """
        items: dict[str, dict[str, Any]] = {}
        for name in list(params):
            owner, separator, key = name.partition("__")
            if separator and owner in NESTED:
                items.setdefault(owner, {})[key] = params.pop(name)
        super().set_params(**params)
        for owner, changes in items.items():
            # A new dictionary: the old one may be the user's, or that of another estimator.
            setattr(self, owner, {**(getattr(self, owner) or {}), **changes})
        return self

    def __sklearn_clone__(self) -> Self:
        # A model is a template that no fit changes, so clones share it: Keras cannot copy every model.
        values = self.get_params(deep=False)
        twin = type(self)(**{k: v if isinstance(v, keras.Model) else clone(v, safe=False) for k, v in values.items()})
        if hasattr(self, "_metadata_request"):
            twin._metadata_request = copy.deepcopy(self._metadata_request)
        return twin

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_kwargs: Any) -> Self:  # noqa: N803
        """Builds a model and trains it with `autofix.fit`.

        Args:
            X: Inputs, `(n_samples, n_features)` or with more axes. Numbers, without NaN.
            y: Targets, `(n_samples,)`; for regression also `(n_samples, n_outputs)`.
            sample_weight: `(n_samples,)`, from 0; None for equal ones. Rows of weight 0 are left out.
            **fit_kwargs: Arguments of `autofix.fit` for this call, over those of the estimator.

        Returns:
            The estimator itself.

        Raises:
            ArgumentError: A parameter has a value that is not known.
            ModelError: The model is not compiled, or its output does not fit the targets.
            DataError: The weights are unusable, or there is one class only. scikit-learn raises `ValueError` for
                other data that it does not take.
        """
        options = self._fit_options(fit_kwargs)
        x, y = validate_data(self, X, y, allow_nd=True, **self._y_checks)
        weights = _checked_weights(sample_weight, x)
        if weights is not None:
            x, y, weights = (array[weights > 0.0] for array in (x, y, weights))
        y = self._learn_targets(y)
        weights = self._all_weights(y, weights, options)
        seed = self._seed()
        with preserved_randomness():
            keras.utils.set_random_seed(seed)
            model = self._new_model(x, self._shown_targets(y))
            n_units = n_output_units(model, x)
            if isinstance(options.get("validation_data"), tuple | list):
                x_held_out, y_held_out, *rest = options["validation_data"]
                x_held_out = validate_data(self, x_held_out, reset=False, allow_nd=True)
                y_held_out = self._model_targets(model, n_units, self._encoded(y_held_out))
                options["validation_data"] = (x_held_out, y_held_out, *rest)
            targets = self._model_targets(model, n_units, y)
            history = fit(model, x, targets, **{"seed": seed, **options, "sample_weight": weights})
        self.model_ = model
        self.history_ = history.history
        self.report_ = self._named(history.report)
        return self

    def _named(self, report: Report) -> Report:
        """The report in the user's own terms."""
        return report

    _y_checks: ClassVar[dict[str, Any]] = {}
    """How scikit-learn checks the targets."""

    def _all_weights(self, y: np.ndarray, weights: np.ndarray | None, options: dict[str, Any]) -> np.ndarray | None:
        """The weights of the rows, with those that `options` asks for."""
        return weights

    def _seed(self) -> int:
        random = check_random_state(self.random_state)
        # A whole number is the seed itself, so that the training can be repeated without the estimator.
        is_seed = isinstance(self.random_state, int | np.integer)
        return int(self.random_state if is_seed else random.randint(2**31 - 1))

    def _new_model(self, x: np.ndarray, y: np.ndarray) -> keras.Model:
        if isinstance(self.model, keras.Model):
            if self.model_kwargs:
                raise ArgumentError(
                    "model_kwargs are for a function that builds the model. Expected none with a keras.Model. "
                    f"Received: model_kwargs={self.model_kwargs!r}. Pass the function as model."
                )
            _check_compiled(self.model)
            return fresh_copy(self.model)
        if self.model is not None and not callable(self.model):
            raise ArgumentError(
                "Unknown kind of model. Expected a compiled keras.Model, a function that returns one, or None. "
                f"Received: model={self.model!r}. Pass one of them."
            )
        build = self.model or self._default_network
        data = {"X": x, "y": y} if _takes_data(build) else {}
        model = build(**data, **(self.model_kwargs or {}))
        _check_compiled(model)
        return model

    def _fit_options(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments of `autofix.fit`: those of the call over those of the estimator over the defaults."""
        own = dict(self.fit_kwargs or {})
        for name in SHORTHANDS:
            value = getattr(self, name)
            if value is not None and name in own:
                raise ArgumentError(
                    f"{name} is given twice. Expected it as a parameter or in fit_kwargs. "
                    f"Received: {name}={value!r} and fit_kwargs[{name!r}]={own[name]!r}. Leave one out."
                )
            own.update({} if value is None else {name: value})
        options = {**own, **given}
        for name in options.keys() - FIT_ARGUMENTS:
            close = difflib.get_close_matches(name, FIT_ARGUMENTS, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else "Leave it out."
            raise ArgumentError(
                "Unknown item of fit_kwargs. Expected arguments of autofix.fit, without the model, the data and their "
                f"weights. Received: {name}={options[name]!r}. {hint}"
            )
        return {"epochs": DEFAULT_EPOCHS, "verbose": 0, **options}

    def _outputs(self, X: Any) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, allow_nd=True)
        return np.asarray(self.model_.predict(x, verbose=0))


class AutofixClassifier(ClassifierMixin, _AutofixEstimator):
    """A scikit-learn classifier around a Keras model that `autofix.fit` trains, and repairs where it collapses.

    The output may be one unit for two classes, or a unit a class; with a sigmoid, a softmax, or logits under a loss
    with `from_logits=True`. The model gets targets in the form that its loss takes, and gives probabilities either way.

    Args:
        model: A compiled `keras.Model`. It is a template that is never changed: each `fit` trains a copy with new
            initial weights, in which only what does not train (frozen layers, adapted `Normalization`) is kept. Or a
            function `build(X, y, **model_kwargs)`, or `build(**model_kwargs)`, that returns a compiled model, where `y`
            is one-hot, `(n_samples, n_classes)`. None for a network of one hidden layer, whose `units`, `activation`
            and `learning_rate` are set by `model_kwargs`.
        model_kwargs: Arguments of the function. An item is a parameter as well: `model_kwargs__units`.
        fit_kwargs: Arguments of `autofix.fit`, those of Keras and its own. `class_weight` has your labels as keys, or
            is `"balanced"`; the labels in `validation_data` are yours too. Items: `fit_kwargs__max_trials`.
        epochs: Short for `fit_kwargs["epochs"]`. 100 where neither is given.
        batch_size: Short for `fit_kwargs["batch_size"]`.
        verbose: Short for `fit_kwargs["verbose"]`. 0 where neither is given.
        random_state: Seed of initial weights, shuffles and trials: the same one gives the same model, and a whole
            number leaves all global random generators alone. None for another one at each fit.

    Attributes:
        classes_: The labels, sorted, `(n_classes,)`.
        model_: The trained `keras.Model`, with the repair in it.
        report_: The `autofix.Report`: what was seen, tried and done.
        history_: The losses and metrics of each epoch, by name.
        n_features_in_: Number of features.
        feature_names_in_: Their names, where `X` has names.

    Example:

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> y = np.where(X[:, 0] > 0, "high", "low")
    >>> classifier = AutofixClassifier(epochs=20, random_state=0).fit(X, y)
    >>> classifier.predict([[0.8], [-0.8]]).tolist(), classifier.report_.verdict
    (['high', 'low'], 'healthy')
    """

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The likeliest class of each row, `(n_samples,)`.

        Args:
            X: Inputs, as in `fit`.
        """
        outputs = self._outputs(X)
        return np.asarray(self.classes_[class_scores(self.model_, outputs).argmax(axis=1)])

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probability of each class, `(n_samples, n_classes)`, in the order of `classes_`.

        Args:
            X: Inputs, as in `fit`.
        """
        outputs = self._outputs(X)
        return class_probabilities(self.model_, outputs)

    def _learn_targets(self, y: np.ndarray) -> np.ndarray:
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise DataError(
                "There is only one class. Expected rows of at least 2 classes with a weight above 0. "
                f"Received: classes={self.classes_.tolist()}. Add rows of another class."
            )
        return self._encoded(y)

    def _named(self, report: Report) -> Report:
        return report.with_class_names(self.classes_)

    def _encoded(self, y: Any) -> np.ndarray:
        return np.asarray(LabelEncoder().fit(self.classes_).transform(y))

    def _all_weights(self, y: np.ndarray, weights: np.ndarray | None, options: dict[str, Any]) -> np.ndarray | None:
        class_weight = options.pop("class_weight", None)
        if class_weight is None:
            return weights
        by_class = compute_class_weight(class_weight, classes=self.classes_, y=self.classes_[y])
        # Keras makes weights of rows of it too, but refuses both at once.
        return by_class[y] if weights is None else by_class[y] * weights

    def _shown_targets(self, y: np.ndarray) -> np.ndarray:
        return one_hot(y, len(self.classes_)).astype(np.float32)

    def _model_targets(self, model: keras.Model, n_units: int, y: np.ndarray) -> np.ndarray:
        return class_targets(model, y, len(self.classes_), n_units)

    def _default_network(self, X: np.ndarray, y: np.ndarray, **settings: Any) -> keras.Model:  # noqa: N803
        return default_network(X.shape[1:], y.shape[1], "softmax", "categorical_crossentropy", ["accuracy"], **settings)


class AutofixRegressor(RegressorMixin, _AutofixEstimator):
    """A scikit-learn regressor around a Keras model that `autofix.fit` trains, and repairs where it collapses.

    Args:
        model: A compiled `keras.Model`. It is a template that is never changed: each `fit` trains a copy with new
            initial weights, in which only what does not train (frozen layers, adapted `Normalization`) is kept. Or a
            function `build(X, y, **model_kwargs)`, or `build(**model_kwargs)`, that returns a compiled model. None for
            a network of one hidden layer, whose `units`, `activation` and `learning_rate` are set by `model_kwargs`.
        model_kwargs: Arguments of the function. An item is a parameter as well: `model_kwargs__units`.
        fit_kwargs: Arguments of `autofix.fit`, those of Keras and its own. Items: `fit_kwargs__max_trials`.
        epochs: Short for `fit_kwargs["epochs"]`. 100 where neither is given.
        batch_size: Short for `fit_kwargs["batch_size"]`.
        verbose: Short for `fit_kwargs["verbose"]`. 0 where neither is given.
        random_state: Seed of initial weights, shuffles and trials: the same one gives the same model, and a whole
            number leaves all global random generators alone. None for another one at each fit.

    Attributes:
        n_outputs_: Number of targets.
        model_: The trained `keras.Model`, with the repair in it.
        report_: The `autofix.Report`: what was seen, tried and done.
        history_: The losses and metrics of each epoch, by name.
        n_features_in_: Number of features.
        feature_names_in_: Their names, where `X` has names.

    Example:

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> regressor = AutofixRegressor(epochs=30, random_state=0).fit(X, 3 * X[:, 0])
    >>> round(regressor.score(X, 3 * X[:, 0]), 2), regressor.report_.verdict
    (1.0, 'healthy')
    """

    _y_checks: ClassVar[dict[str, Any]] = {"multi_output": True, "y_numeric": True}

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Predictions in the shape of the targets of `fit`: `(n_samples,)` or `(n_samples, n_outputs)`.

        Args:
            X: Inputs, as in `fit`.
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self._is_flat else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _learn_targets(self, y: np.ndarray) -> np.ndarray:
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        self._is_flat = y.ndim == 1
        return y

    def _encoded(self, y: Any) -> np.ndarray:
        return np.asarray(y)

    def _shown_targets(self, y: np.ndarray) -> np.ndarray:
        return y

    def _model_targets(self, model: keras.Model, n_units: int, y: np.ndarray) -> np.ndarray:
        if n_units != self.n_outputs_:
            raise ModelError(
                f"The model's output does not fit the targets. Expected an output layer of {self.n_outputs_} units. "
                f"Received: {n_units}. Give the output layer one unit a target."
            )
        return y

    def _default_network(self, X: np.ndarray, y: np.ndarray, **settings: Any) -> keras.Model:  # noqa: N803
        return default_network(X.shape[1:], self.n_outputs_, None, "mse", **settings)


def _takes_data(build: Callable[..., keras.Model]) -> bool:
    """Whether a function that builds a model wants to see the data, to read its shape off them."""
    parameters = inspect.signature(build).parameters.values()
    return any(one.kind is one.VAR_KEYWORD or one.name == "X" for one in parameters)


def _check_compiled(model: Any) -> None:
    if not isinstance(model, keras.Model) or not model.compiled:
        raise ModelError(
            "There is no compiled model. Expected a keras.Model after model.compile(loss=..., optimizer=...), or a "
            f"function that returns one. Received: {model!r}. Call model.compile, in that function if there is one."
        )


def _checked_weights(sample_weight: Any, x: np.ndarray) -> np.ndarray | None:
    if sample_weight is None:
        return None
    weights = column_or_1d(check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"))
    check_consistent_length(x, weights)
    if weights.min() < 0.0 or weights.max() == 0.0:
        raise DataError(
            "sample_weight cannot be used. Expected weights from 0, some of them not zero. "
            f"Received: weights from {weights.min():g} to {weights.max():g}. Correct them, or leave them out."
        )
    return weights
