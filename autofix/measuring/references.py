"""Reference learners: what other learners than the user's network get out of the same rows.

The learners are cheap rather than tuned: they answer whether there is anything to learn, and whether it takes more than
a linear model.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # comes with scikit-learn

LINEAR_ALGEBRA = ThreadpoolController()
"""The libraries whose threads are limited, listed when this is imported: the list is made under the loader's lock and
waits for Python's, while another thread that imports a library waits the other way round."""

MAX_TRAIN_ROWS = 4000
"""Of a longer training part a random sample is used."""

MAX_KERNEL_ROWS = 2000
"""The kernel learner is left out beyond: its cost grows with the cube of the rows."""

MAX_TUNING_ROWS = 200
"""Rows on which the kernel learner's settings are chosen."""

MAX_NETWORK_ROWS = 1000
"""Of a longer training part the network learns a random sample."""

MAX_NETWORK_FEATURES = 64
"""The network is left out beyond: with more features than that it takes seconds, and the kernel learner is as good."""

NETWORK = "network"
"""Name of the learner that is a network too: what it reaches, a network can reach."""

NETWORK_UNITS = (32, 32)

NETWORK_ITERATIONS = 75
"""Each goes over all rows; what is to be had from a small table is had by then, and more of them overfit noisy ones."""

MAX_FEATURES = 256
"""Of more features those that go most with the targets of the training rows are kept."""

MAX_TREE_OUTPUTS = 16
"""Of more numeric outputs the trees learn the leading principal components."""

MAX_LOGISTIC_COLUMNS = 8
"""More binary columns are left to least squares, one fit for all of them."""

N_TREES = 32

PROBABILITY_FLOOR = 1e-3
"""No learner is punished without bounds by a log loss: probabilities stay this far from 0 and 1."""

FLAT_FEATURES = 256
"""About how many features an input with more than two axes is flattened to."""

TOKEN_COLUMNS = 64
"""Columns that token ids are counted in."""

Learner = Callable[[np.ndarray, np.ndarray, np.ndarray, str, int], np.ndarray]
"""`(x_train, y_train, x_test, kind, seed) -> predictions`; classes one-hot, features standardised."""


def reference_predictions(
    x: np.ndarray,
    y: np.ndarray,
    kind: str,
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    seed: int = 0,
    n_classes: int | None = None,
) -> dict[str, np.ndarray]:
    """Out-of-fold predictions of each learner: `"linear"`, `"support_vector"`, `"extra_trees"`, `"network"`.

    A learner that fails, or has too many rows, is left out. Nothing raises, and no argument is changed.

    Args:
        x: Table of finite features, shape `(n_samples, n_features)`; see `flatten_inputs`.
        y: Finite targets, shape `(n_samples, n_outputs)`: numbers for `"regression"`, 0 and 1 for
            `"binary"` and `"multilabel"`. For `"multiclass"` labels from 0, shape `(n_samples,)`.
        kind: One of these four.
        splits: Pairs of training and test row numbers. Where test parts overlap, the last one counts.
        seed: Of the trees and of every subsample.
        n_classes: Of `"multiclass"`; None for as many as the largest label says.

    Returns:
        Arrays of shape `(n_samples, n_outputs)`, or `(n_samples, n_classes)` with rows that sum to 1.
        Outside of regression probabilities, at least `PROBABILITY_FLOOR` away from 0 and 1. Rows in no test
        part are NaN.

    Example:

    >>> x = np.linspace(-1.0, 1.0, 50)[:, None]
    >>> splits = [(np.arange(0, 50, 2), np.arange(1, 50, 2))]
    >>> found = reference_predictions(x, 3.0 * x, "regression", splits)
    >>> sorted(found)
    ['extra_trees', 'linear', 'network', 'support_vector']
    >>> bool(np.allclose(found["linear"][1::2], 3.0 * x[1::2], atol=0.1))
    True
    """
    targets = _targets(y, kind, n_classes)
    learners = _learners(x.shape[1], max((len(train) for train, _ in splits), default=0))
    predictions = {name: np.full(targets.shape, np.nan) for name in learners}
    # On tables this small the threads of the linear algebra wait for each other longer than they work.
    with LINEAR_ALGEBRA.limit(limits=1, user_api="blas"):
        for number, (train, test) in enumerate(splits):
            if len(test) == 0:
                continue
            chosen = _subsample(np.asarray(train), MAX_TRAIN_ROWS, seed + number)
            x_train, x_test = _features(x[chosen], targets[chosen], x[test])
            for name in list(predictions):
                rows = _attempt(learners[name], x_train, targets[chosen], x_test, kind, seed + number)
                if rows is None:
                    del predictions[name]
                else:
                    predictions[name][test] = rows
    return predictions


def _learners(n_features: int, n_rows: int) -> dict[str, Learner]:
    """The learners that a table of this size is not too much for, by name."""
    learners: dict[str, Learner] = {"linear": _linear, "support_vector": _kernel, "extra_trees": _trees}
    if n_rows > MAX_KERNEL_ROWS:
        del learners["support_vector"]
    if n_features <= MAX_NETWORK_FEATURES:
        learners[NETWORK] = _network
    return learners


def _attempt(
    learner: Learner, x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, kind: str, seed: int
) -> np.ndarray | None:
    """What the learner predicts for the test rows, or None when it fails."""
    try:
        # Convergence is no concern of a rough reference, nor is overflow: its result is checked.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            rows = learner(x_train, y_train, x_test, kind, seed)
    except Exception:  # noqa: BLE001 - a reference is optional; without one fewer claims can be made
        return None
    if not np.isfinite(rows).all():
        return None
    return rows if kind == "regression" else _probabilities(rows, kind)


def _targets(y: np.ndarray, kind: str, n_classes: int | None) -> np.ndarray:
    """The targets as columns of float64, classes as one-hot columns."""
    if kind != "multiclass":
        return np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    labels = np.asarray(y).astype(np.int64).ravel()
    return np.eye(n_classes or int(labels.max(initial=0)) + 1)[labels]


def _subsample(rows: np.ndarray, limit: int, seed: int) -> np.ndarray:
    if len(rows) <= limit:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), limit, replace=False))]


def _features(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both parts standardised by the training part, without its constant columns and with a bounded width."""
    varies = np.ptp(x_train, axis=0) > 0.0 if len(x_train) else np.zeros(x_train.shape[1], dtype=bool)
    if not varies.any():
        return np.zeros((len(x_train), 1)), np.zeros((len(x_test), 1))
    x_train, x_test = x_train[:, varies], x_test[:, varies]
    scaler = StandardScaler().fit(x_train)
    x_train, x_test = scaler.transform(x_train), scaler.transform(x_test)
    if x_train.shape[1] > MAX_FEATURES:
        spread = y_train.std(axis=0)
        centered = (y_train - y_train.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
        relevance = np.abs(x_train.T @ centered).max(axis=1)
        kept = np.sort(np.argsort(-relevance, kind="stable")[:MAX_FEATURES])
        x_train, x_test = x_train[:, kept], x_test[:, kept]
    return x_train, x_test


def _probabilities(rows: np.ndarray, kind: str) -> np.ndarray:
    """Scores as probabilities within the floor; those of classes sum to 1."""
    if kind != "multiclass":
        return np.clip(rows, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    clipped = np.clip(rows, 0.0, 1.0)
    total = clipped.sum(axis=1, keepdims=True)
    shares = np.where(total > 0.0, clipped / np.where(total > 0.0, total, 1.0), 1.0 / rows.shape[1])
    # Mixed with the uniform distribution rather than clipped again: the sum stays 1.
    weight = min(1.0, PROBABILITY_FLOOR * rows.shape[1])
    mixed: np.ndarray = (1.0 - weight) * shares + weight / rows.shape[1]
    return mixed


def _linear(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Ridge regression, or logistic regression for classes."""
    if kind == "regression" or (kind != "multiclass" and y_train.shape[1] > MAX_LOGISTIC_COLUMNS):
        return _ridge(x_train, y_train, x_test)
    if kind == "multiclass":
        return _logistic(x_train, y_train.argmax(axis=1), x_test, y_train.shape[1])
    columns = [_logistic(x_train, column > 0.5, x_test, 2)[:, 1] for column in y_train.T]
    return np.stack(columns, axis=1)


def _ridge(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    scaled, offset, scale = _standard(y_train)
    ridge = RidgeCV(alphas=np.logspace(-3, 3, 7)).fit(x_train, scaled)
    predictions: np.ndarray = ridge.predict(x_test).reshape(len(x_test), -1) * scale + offset
    return predictions


def _logistic(x_train: np.ndarray, labels: np.ndarray, x_test: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities, shape `(n_test, n_classes)`; 0 for classes that are not among the labels."""
    probabilities = np.zeros((len(x_test), n_classes))
    present = np.unique(labels).astype(int)
    if len(present) == 1:
        # As sure as the number of rows allows. Source: Laplace's rule of succession.
        probabilities[:] = 1.0 / (len(labels) + n_classes)
        probabilities[:, present[0]] = (len(labels) + 1.0) / (len(labels) + n_classes)
        return probabilities
    # Shrunk harder below ten rows a coefficient. Source: Peduzzi et al., J. Clin. Epidemiol. 49 (1996).
    strength = min(1.0, len(labels) / (10.0 * x_train.shape[1]))
    model = LogisticRegression(C=strength, tol=1e-3, max_iter=100).fit(x_train, labels)
    probabilities[:, present] = model.predict_proba(x_test)
    return probabilities


def _kernel(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """A least-squares support vector machine: kernel ridge regression, on 0 and 1 for classes.

    Source: Suykens and Vandewalle, Neural Processing Letters 9 (1999); its outputs need no calibration, and
    its settings are chosen by the closed form of the leave-one-out error.
    """
    scaled, offset, scale = _standard(y_train)
    rows = _subsample(np.arange(len(x_train)), MAX_TUNING_ROWS, seed)
    distances = euclidean_distances(x_train[rows], squared=True)
    best = (np.inf, 1.0, 1.0)
    for gamma in np.array([0.1, 0.5, 2.0]) / x_train.shape[1]:
        values, vectors = np.linalg.eigh(np.exp(-gamma * distances))
        projected = vectors.T @ scaled[rows]
        for alpha in (1e-3, 1e-2, 0.1, 1.0, 10.0):
            inverse = 1.0 / (np.maximum(values, 0.0) + alpha)
            residuals = (vectors @ (inverse[:, None] * projected)) / ((vectors**2) @ inverse)[:, None]
            best = min(best, (float((residuals**2).mean()), float(gamma), alpha))
    _, gamma, alpha = best
    model = KernelRidge(kernel="rbf", gamma=gamma, alpha=alpha).fit(x_train, scaled)
    predictions: np.ndarray = model.predict(x_test).reshape(len(x_test), -1) * scale + offset
    return predictions


def _trees(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Extremely randomised trees. Source: Geurts et al., Machine Learning 63 (2006)."""
    settings = {"n_estimators": N_TREES, "random_state": seed, "n_jobs": 1}
    settings["max_features"] = min(x_train.shape[1], 64)
    if kind == "multiclass":
        forest = ExtraTreesClassifier(min_samples_leaf=3, **settings).fit(x_train, y_train.argmax(axis=1))
        probabilities = np.zeros((len(x_test), y_train.shape[1]))
        probabilities[:, forest.classes_] = forest.predict_proba(x_test)
        return probabilities
    scaled, offset, scale = _standard(y_train)
    axes = np.eye(scaled.shape[1])
    if scaled.shape[1] > MAX_TREE_OUTPUTS:
        axes = np.linalg.eigh(scaled.T @ scaled)[1][:, -MAX_TREE_OUTPUTS:]
    forest = ExtraTreesRegressor(min_samples_leaf=2 if kind == "regression" else 3, **settings)
    learned = scaled @ axes
    forest.fit(x_train, learned[:, 0] if learned.shape[1] == 1 else learned)
    predictions: np.ndarray = forest.predict(x_test).reshape(len(x_test), -1) @ axes.T * scale + offset
    return predictions


def _network(x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """A small network with weight decay, trained on all rows at once: what a sound network gets out of a table."""
    if not np.ptp(y_train, axis=0).any():
        return _linear(x_train, y_train, x_test, kind, seed)  # which knows what to say of a constant
    settings = {"hidden_layer_sizes": NETWORK_UNITS, "max_iter": NETWORK_ITERATIONS, "random_state": seed}
    settings.update(solver="lbfgs", alpha=1.0)
    rows = _subsample(np.arange(len(x_train)), MAX_NETWORK_ROWS, seed)
    x_train, y_train = x_train[rows], y_train[rows]
    if kind == "regression":
        scaled, offset, scale = _standard(y_train)
        network = MLPRegressor(**settings).fit(x_train, scaled[:, 0] if scaled.shape[1] == 1 else scaled)
        predictions: np.ndarray = network.predict(x_test).reshape(len(x_test), -1) * scale + offset
        return predictions
    if kind != "multiclass":
        network = MLPClassifier(**settings).fit(x_train, y_train > 0.5)
        return np.asarray(network.predict_proba(x_test))[:, -y_train.shape[1] :]
    network = MLPClassifier(**settings).fit(x_train, y_train.argmax(axis=1))
    probabilities = np.zeros((len(x_test), y_train.shape[1]))
    probabilities[:, network.classes_] = network.predict_proba(x_test)
    return probabilities


def _standard(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The columns standardised, their means and their standard deviations (1 for constant ones)."""
    offset = y.mean(axis=0)
    scale = np.where(np.ptp(y, axis=0) > 0.0, y.std(axis=0), 1.0)
    return (y - offset) / scale, offset, scale


def flatten_inputs(inputs: Sequence[np.ndarray]) -> np.ndarray:
    """A table of all inputs side by side, shape `(n_samples, n_features)`, finite float64.

    Tables stay as they are. Sequences become summaries over time, and stay whole as well where short.
    Images (and whatever else has four axes or more) are averaged over patches. Token ids are also counted.
    Strings are replaced by codes, non-finite values by the median of their column, 0 where there is none.

    Args:
        inputs: Arrays of shape `(n_samples, ...)`, at least one. Not changed.

    Example:

    >>> flatten_inputs([np.zeros((5, 2)), np.zeros((5, 28, 28, 1))]).shape
    (5, 258)
    """
    return np.concatenate([_flatten(np.asarray(array)) for array in inputs], axis=1)


def _flatten(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            array = np.unique(array.astype(str), return_inverse=True)[1].reshape(array.shape)
    if array.ndim == 1:
        array = array[:, None]
    array = _filled(array)
    n_samples = len(array)
    if array.ndim == 2:
        table = array.astype(np.float64)
        return np.concatenate([table, _token_counts(table)], axis=1) if _is_tokens(table) else table
    if array.ndim == 3:
        sequence = array.astype(np.float64)
        statistics = (sequence.mean(1), sequence.std(1), sequence[:, 0], sequence[:, -1])
        parts = [*statistics, sequence.min(1), sequence.max(1)]
        if sequence[0].size <= FLAT_FEATURES:
            parts.append(sequence.reshape(n_samples, -1))
        return np.concatenate(parts, axis=1)
    return _pooled(array).reshape(n_samples, -1)


def _filled(array: np.ndarray) -> np.ndarray:
    """The array with non-finite values replaced; itself where there are none."""
    is_finite = np.isfinite(array)
    if is_finite.all():
        return array
    columns = np.where(is_finite, array, np.nan).astype(np.float64).reshape(len(array), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns without any finite value
        medians = np.nan_to_num(np.nanmedian(columns, axis=0))
    return np.where(np.isnan(columns), medians, columns).reshape(array.shape)


def _is_tokens(table: np.ndarray) -> bool:
    """Whether it looks like rows of ids from one large vocabulary: whole, not negative, many and varied."""
    if table.shape[1] < 4 or table.min(initial=0.0) < 0.0 or (table != np.floor(table)).any():
        return False
    return len(np.unique(table)) > max(16, 2 * TOKEN_COLUMNS // table.shape[1])


def _token_counts(table: np.ndarray) -> np.ndarray:
    """How often each token occurs in each row, tokens hashed into columns where there are too many."""
    vocabulary, codes = np.unique(table, return_inverse=True)
    columns = codes.reshape(table.shape)
    if len(vocabulary) > TOKEN_COLUMNS:
        # Multiplicative hashing. Source: Knuth, The Art of Computer Programming 3, section 6.4.
        hashes = (vocabulary.astype(np.uint64) * np.uint64(2654435761)) % np.uint64(2**32)
        columns = (hashes >> np.uint64(26)).astype(np.int64)[columns]
    counts = np.zeros((len(table), TOKEN_COLUMNS))
    np.add.at(counts, (np.arange(len(table))[:, None], columns), 1.0)
    return counts


def _pooled(array: np.ndarray) -> np.ndarray:
    """Means over patches, so that about `FLAT_FEATURES` values a row are left; channels stay apart."""
    if array[0].size <= FLAT_FEATURES:
        return array.astype(np.float64)
    n_axes = array.ndim - 2
    side = max(1, int((FLAT_FEATURES / array.shape[-1]) ** (1.0 / n_axes) + 1e-9))
    for axis in range(1, n_axes + 1):
        length = array.shape[axis]
        starts = np.arange(min(side, length)) * length // min(side, length)
        sizes = np.diff(np.append(starts, length)).reshape([-1 if at == axis else 1 for at in range(array.ndim)])
        array = np.add.reduceat(array, starts, axis=axis, dtype=np.float64) / sizes
    return array
