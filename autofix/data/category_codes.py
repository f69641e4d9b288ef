"""Codes of categories: whole numbers whose order says nothing about the targets."""

import numpy as np

from autofix.evidence import CodesProfile

MIN_CODES, MAX_CODES = 3, 64
"""Two codes are a flag, which has no order to be wrong; beyond 64 a column for each code costs more than it shows."""

ROWS_A_CODE = 5
"""With fewer rows a code, on average, their means are noise."""

MAX_COLUMNS = 64
"""Columns that are looked at, about 0.5 ms each."""

MAX_TARGET_COLUMNS = 16

CODES_A_DEGREE = 3
"""The smooth curve gets one degree for every three codes: a cubic goes through any four means, however rough."""

MAX_DEGREE = 3


def profile_codes(values: np.ndarray, target: np.ndarray) -> tuple[CodesProfile, ...]:
    """The columns of whole numbers that may be codes of categories, with what their means say about the targets.

    The means of one half of the rows predict the other half, and the reverse. They compete with whatever is smooth
    over the codes: a line, a cubic and the mean of the neighbouring codes. Ordered numbers, such as ages, are as well
    predicted by these; categories without order are not.

    Args:
        values: Shape `(n_samples, n_features)`, float64; NaN where not finite.
        target: Shape `(n_samples, ...)`, numbers, class numbers or one-hot classes.

    Source: the lack-of-fit test of regression (Draper & Smith 1998, section 2.1), made on rows held out.
    """
    y = _columns(target)
    is_known = np.isfinite(y).all(axis=1)
    found: list[CodesProfile] = []
    for column in range(values.shape[1]):
        codes = values[:, column]
        rows = is_known & np.isfinite(codes)
        if not rows.any() or (np.floor(codes[rows]) != codes[rows]).any():
            continue
        labels, inverse = np.unique(codes[rows], return_inverse=True)
        if not MIN_CODES <= len(labels) <= MAX_CODES or len(inverse) < ROWS_A_CODE * len(labels):
            continue
        gain = _gain(labels, inverse, y[rows])
        found.append(CodesProfile(column, int(labels[0]), int(labels[-1]), len(labels), gain))
        if len(found) == MAX_COLUMNS:
            break
    return tuple(found)


def _columns(target: np.ndarray) -> np.ndarray:
    """The targets as at most `MAX_TARGET_COLUMNS` columns; few whole numbers may be classes, and get one each."""
    y = target.reshape(len(target), -1)
    if y.shape[1] > MAX_TARGET_COLUMNS:
        y = y[:, np.argsort(-y.std(axis=0), kind="stable")[:MAX_TARGET_COLUMNS]]
    y = y.astype(np.float64)
    labels = np.unique(y) if y.shape[1] == 1 and target.dtype.kind in "iu" else np.empty(0)
    return (y == labels).astype(np.float64) if 2 < len(labels) <= MAX_TARGET_COLUMNS else y


def _gain(labels: np.ndarray, inverse: np.ndarray, y: np.ndarray) -> float:
    """Share of the variance that the means of the codes explain beyond the best smooth curve, 0 to 1."""
    total = float(((y - y.mean(axis=0)) ** 2).sum())
    if total <= 0.0:
        return 0.0
    half = np.random.default_rng(0).permutation(len(y)) % 2 == 0
    rough, *smooth = np.sum([_errors(labels, inverse, y, rows) for rows in (half, ~half)], axis=0)
    return float(np.clip((min(smooth) - rough) / total, 0.0, 1.0))


def _errors(labels: np.ndarray, inverse: np.ndarray, y: np.ndarray, rows: np.ndarray) -> list[float]:
    """Squared errors of other rows: of the means of the codes, of their neighbours' means, of a line, of a curve."""
    one_hot = np.eye(len(labels))[inverse[rows]]
    counts = one_hot.sum(axis=0)[:, None]
    # Means are drawn towards the overall mean as if by one row of it: a code of few rows is no great surprise.
    overall = y[rows].mean(axis=0)
    means = (one_hot.T @ y[rows] + overall) / (counts + 1.0)
    # Beyond the ends the line through the next two codes goes on.
    padded = np.concatenate([2.0 * means[1:2] - means[2:3], means, 2.0 * means[-2:-1] - means[-3:-2]])
    neighbours = np.concatenate([padded[:1], (means[:-2] + means[2:]) / 2.0, padded[-1:]])
    degree = min(MAX_DEGREE, max(1, len(labels) // CODES_A_DEGREE))
    scaled = (labels - labels.mean()) / (np.ptp(labels) / 2.0)
    curves = [_curve(scaled, counts, means, one) for one in sorted({1, degree})]
    other = ~rows
    return [
        float(((y[other] - fitted[inverse[other]]) ** 2).sum()) for fitted in (means, neighbours, curves[0], curves[-1])
    ]


def _curve(labels: np.ndarray, counts: np.ndarray, means: np.ndarray, degree: int) -> np.ndarray:
    """The polynomial through the means of the codes, each with the weight of its rows."""
    weights = np.sqrt(counts)
    powers = labels[:, None] ** np.arange(degree + 1)
    fitted: np.ndarray = powers @ np.linalg.lstsq(powers * weights, means * weights, rcond=None)[0]
    return fitted
