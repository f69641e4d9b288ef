"""Writes the data and the models of the six jobs: `python examples/jobs/make_files.py`.

The files lie beside this one already; this is how they were made.
"""

from pathlib import Path

import keras
import models
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from sklearn import datasets

HERE = Path(__file__).parent

N_HOUSES = 1_000

N_DIGITS = 1_200
"""Of the 1,797 there are: the files stay small enough to lie in the repository."""


def table(bunch, target: str) -> pa.Table:
    """A data set of scikit-learn as a table; classes by their names."""
    columns = {
        str(name).replace(" ", "_"): values for name, values in zip(bunch.feature_names, bunch.data.T, strict=True)
    }
    names = getattr(bunch, "target_names", None)
    return pa.table({**columns, target: bunch.target if names is None else np.asarray(names)[bunch.target]})


def single(rows: pa.Table) -> pa.Table:
    """Numbers in single precision: the files are half as large."""
    halved = [pa.float32() if kind == pa.float64() else kind for kind in rows.schema.types]
    return rows.cast(pa.schema(list(zip(rows.column_names, halved, strict=True))))


def houses() -> pa.Table:
    """Districts with prices, made up after the Californian ones, and with the numbers of lottery tickets."""
    random = np.random.default_rng(0)
    income = random.lognormal(1.2, 0.45, N_HOUSES)
    age = random.integers(1, 53, N_HOUSES)
    rooms = random.normal(5.4, 1.1, N_HOUSES).clip(1)
    people = random.lognormal(1.05, 0.25, N_HOUSES)
    latitude = random.uniform(32.5, 42.0, N_HOUSES)
    longitude = -124.3 + (42.0 - latitude) * 1.02 + random.uniform(0.0, 5.0, N_HOUSES)
    coast = np.exp(-(longitude + 124.3 - (42.0 - latitude) * 1.02))
    price = 45_000 * income + 900 * age + 120_000 * coast - 30_000 * people + random.normal(0, 20_000, N_HOUSES)
    columns = {"income": income, "age": age, "rooms": rooms, "people": people}
    columns |= {"latitude": latitude, "longitude": longitude, "price": price.clip(15_000, 500_000)}
    rounded = {name: np.round(values, 2) for name, values in columns.items()}
    return pa.table({**rounded, "ticket": random.integers(0, 1_000, N_HOUSES)})


def main(folder: Path = HERE) -> None:
    """Writes all files into a folder."""
    pa.csv.write_csv(table(datasets.load_diabetes(scaled=False), "progression"), folder / "diabetes.csv")
    pa.csv.write_csv(table(datasets.load_wine(), "cultivar"), folder / "wine.csv")
    pa.csv.write_csv(table(datasets.load_iris(), "species"), folder / "iris.csv")
    for name, rows in (("breast_cancer", table(datasets.load_breast_cancer(), "diagnosis")), ("houses", houses())):
        pa.parquet.write_table(single(rows), folder / f"{name}.parquet", compression="zstd", compression_level=19)
    digits = datasets.load_digits()
    images = digits.images[:N_DIGITS, ..., None].astype("uint8")
    np.savez_compressed(folder / "digits.npz", images=images, labels=digits.target[:N_DIGITS].astype("uint8"))
    for build in (models.diabetes, models.wine, models.breast_cancer, models.digits, models.iris, models.houses):
        keras.utils.set_random_seed(0)
        build().save(folder / f"{build.__name__}.keras")


if __name__ == "__main__":
    main()
