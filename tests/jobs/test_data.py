"""Rows of jobs: what is read from which file, how it is encoded and split, and what is refused."""

import datetime
import decimal
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autofix.errors import CodeError, DataError
from autofix.jobs.data import drawn, load
from autofix.jobs.schema import Job

N_ROWS = 100


@pytest.fixture
def columns(tmp_path):
    """A table as CSV and Parquet: numbers, whole numbers, texts, truth values, a class of 10 % and one of 30 %."""
    random = np.random.default_rng(0)
    label = np.repeat(["rare", "some", "usual"], [10, 30, 60])
    found = {
        "size": random.normal(size=N_ROWS),
        "code": random.integers(0, 3, N_ROWS),
        "plan": random.choice(["basic", "pro"], N_ROWS),
        "active": random.random(N_ROWS) > 0.5,
        "label": random.permutation(label),
    }
    write_csv(tmp_path / "t.csv", found)
    pq.write_table(pa.table(found), tmp_path / "t.parquet")
    return found


def write_csv(path, columns, delimiter=","):
    rows = [delimiter.join(columns), *(delimiter.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")


def job(folder, data, **settings):
    return Job.model_validate({"name": "j", "folder": str(folder), "model": "m.keras", "data": data, **settings})


def refused(folder, data, **settings):
    with pytest.raises(DataError) as caught:
        load(job(folder, data, **settings))
    return str(caught.value)


@pytest.mark.parametrize("file", ["t.csv", "t.parquet"])
def test_a_table_becomes_inputs_and_encoded_classes(file, columns, tmp_path):
    categories = {"plan": ["basic", "pro"], "code": [0, 1, 2]}
    rows = load(job(tmp_path, {"train": file, "target": "label", "categories": categories}))
    assert rows.feature_names == ("size", "code=0", "code=1", "code=2", "plan=basic", "plan=pro", "active")
    assert rows.class_names == ("rare", "some", "usual")
    assert (rows.n_features, rows.n_outputs) == (7, 3)
    np.testing.assert_allclose(rows.x[:, 0], columns["size"])
    np.testing.assert_array_equal(rows.x[:, 1:4].argmax(axis=1), columns["code"])
    np.testing.assert_array_equal(rows.x[:, 5] == 1, columns["plan"] == "pro")
    np.testing.assert_array_equal(rows.x[:, 6] == 1, columns["active"])
    np.testing.assert_array_equal(np.array(rows.class_names)[rows.y], columns["label"])


def test_inputs_are_those_that_are_chosen_in_their_order(columns, tmp_path):
    chosen = load(job(tmp_path, {"train": "t.csv", "target": "label", "features": ["code", "size"]}))
    left = load(job(tmp_path, {"train": "t.csv", "target": "label", "features": {"exclude": ["plan", "active"]}}))
    assert chosen.feature_names == ("code", "size")
    assert left.feature_names == ("size", "code")


def test_splits_are_seeded_apart_and_alike_in_their_classes(columns, tmp_path):
    data = {"train": "t.csv", "target": "label", "features": ["size"], "validation": 0.2, "test": 0.1}
    rows = load(job(tmp_path, data))
    parts = [rows.x, rows.validation[0], rows.test[0]]
    assert [len(part) for part in parts] == [70, 20, 10]
    assert len(np.unique(np.concatenate(parts))) == N_ROWS
    assert np.bincount(rows.validation[1]).tolist() == [2, 6, 12]
    assert np.bincount(rows.test[1]).tolist() == [1, 3, 6]
    np.testing.assert_array_equal(load(job(tmp_path, data)).x, rows.x)
    assert not np.array_equal(load(job(tmp_path, data, seed=1)).x, rows.x)
    facts = json.loads(json.dumps(rows.to_dict()))
    assert facts["n_rows"] == {"train": 70, "validation": 20, "test": 10}
    assert (facts["feature_names"], facts["class_names"]) == (["size"], ["rare", "some", "usual"])


def test_held_out_files_give_the_inputs_of_the_training_rows(columns, tmp_path):
    shuffled = {name: columns[name][:20] for name in ("label", "active", "code", "size")}
    write_csv(tmp_path / "v.tsv", shuffled, "\t")
    data = {"train": "t.csv", "target": "label", "features": {"exclude": ["plan"]}, "validation": "v.tsv"}
    rows = load(job(tmp_path, data))
    np.testing.assert_allclose(rows.validation[0], rows.x[:20])
    np.testing.assert_array_equal(rows.validation[1], rows.y[:20])
    assert len(rows.x) == N_ROWS


def test_a_file_may_be_split_into_test_rows_while_validation_has_a_file(columns, tmp_path):
    data = {"train": "t.csv", "target": "size", "features": ["code"], "validation": "t.parquet", "test": 0.25}
    rows = load(job(tmp_path, data))
    assert (len(rows.x), len(rows.validation[0]), len(rows.test[0])) == (75, 100, 25)
    assert rows.class_names == ()


@pytest.mark.parametrize(
    ("target", "settings", "names"),
    [
        ("code", {}, ()),
        ("code", {"compile": {"loss": "sparse_categorical_crossentropy"}}, ("0", "1", "2")),
        ("code", {"compile": {"loss": {"class_name": "SparseCategoricalCrossentropy"}}}, ("0", "1", "2")),
        ("size", {"compile": {"loss": "binary_crossentropy"}}, ()),
        ("active", {}, ("false", "true")),
        (["size", "code"], {}, ()),
    ],
)
def test_classes_are_texts_truth_values_and_whole_numbers_under_a_crossentropy(
    target, settings, names, columns, tmp_path
):
    data = {"train": "t.csv", "target": target, "features": {"exclude": ["plan", "label"]}}
    rows = load(job(tmp_path, data, **settings))
    assert rows.class_names == names


def test_the_task_may_be_said(columns, tmp_path):
    data = {"train": "t.csv", "features": ["size"]}
    assert load(job(tmp_path, {**data, "target": "code", "task": "classification"})).class_names == ("0", "1", "2")
    assert load(job(tmp_path, {**data, "target": "active", "task": "regression"})).class_names == ()
    assert "data.task=regression" in refused(tmp_path, {**data, "target": "label", "task": "regression"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"target": "lable"}, "There is no column 'lable'. Did you mean 'label'?"),
        ({"target": "label"}, "column 'plan' of"),
        ({"target": "label"}, "categories: {plan: [basic, pro]}"),
        ({"target": "label", "categories": {"plan": ["basic"]}}, "Received: 'pro' in row"),
        ({"target": ["label", "size"], "features": ["code"]}, "One of several targets is no number"),
        ({"target": "label", "features": ["size"], "validation": 0.001}, "too few rows to split"),
        ({}, "`target` is missing"),
        ({"target": "label", "features": []}, "No column is left"),
        ({"train": "nope.csv", "target": "label"}, "cannot be read"),
    ],
)
def test_what_a_table_cannot_give_is_told_with_a_way_out(data, said, columns, tmp_path):
    assert said in refused(tmp_path, {"train": "t.csv", **data})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,t\n1,2\n,3\n", "none in row 2 of column 'a'"),
        ("a,t\n1,2\nnan,3\n", "none in row 2 of column 'a'"),
        ("a,t\n1,x\n2, \n", "none in row 2 of column 't'"),
        ("a,t\n", "no rows"),
        ("", "cannot be read"),
        ("a,a,t\n1,2,3\n", "'a' twice"),
        ("a,t\n1,2\n3\n", "cannot be read"),
        ("a,t\n2020-01-01,2\n", "Exclude it"),
    ],
)
def test_a_table_with_holes_is_told_by_row_and_column(content, said, tmp_path):
    (tmp_path / "a.csv").write_text(content)
    assert said in refused(tmp_path, {"train": "a.csv", "target": "t"})


@pytest.mark.parametrize("content", ["a,t\n1,ü\n", "ü,t\n1,2\n"])
def test_a_table_in_another_encoding_is_told(content, tmp_path):
    (tmp_path / "a.csv").write_bytes(content.encode("latin-1"))
    assert "utf-8" in refused(tmp_path, {"train": "a.csv", "target": "t"}).lower()


def test_columns_of_every_kind_of_parquet_are_read_or_told(tmp_path):
    table = pa.table(
        {
            "price": pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5")]),
            "plan": pa.array(["a", "b"]).dictionary_encode(),
            "view": pa.array(["x", "y"], type=pa.string_view()),
            "half": pa.array(np.array([1, 2], dtype="float16")),
            "when": pa.array([datetime.datetime(2020, 1, 1)] * 2),
            "list": pa.array([[1], [2]]),
            "raw": pa.array([b"x", b"y"]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    data = {"train": "a.parquet", "target": "plan", "features": ["price", "half", "view"]}
    rows = load(job(tmp_path, {**data, "categories": {"view": ["x", "y"]}}))
    assert rows.x.tolist() == [[1.5, 1.0, 1.0, 0.0], [2.5, 2.0, 0.0, 1.0]]
    assert rows.class_names == ("a", "b")
    assert load(job(tmp_path, {**data, "target": "view", "features": ["half"]})).class_names == ("x", "y")
    for name in ("plan", "view", "when", "list", "raw"):
        assert f"column '{name}'" in refused(tmp_path, {"train": "a.parquet", "target": "price", "features": [name]})
    for name in ("when", "list", "raw"):
        assert f"column '{name}'" in refused(tmp_path, {"train": "a.parquet", "target": name, "features": ["half"]})


def test_rows_with_missing_values_are_left_out_where_that_is_asked_for(tmp_path):
    (tmp_path / "a.csv").write_text("a,t\n1,2\n,3\n4,\n5,6\n")
    rows = load(job(tmp_path, {"train": "a.csv", "target": "t"}, autofix={"on_nonfinite": "drop"}))
    assert rows.x.tolist() == [[1.0], [5.0]]
    assert rows.notes == ("Left out 2 rows of train with missing values.",)


def test_a_column_that_turns_to_fractions_late_is_read_as_numbers(tmp_path):
    lines = ["a,t", *["1,2"] * 200_000, "0.5,2"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert load(job(tmp_path, {"train": "a.csv", "target": "t"})).x[-1, 0] == 0.5


def test_a_class_that_training_rows_have_not_is_told(columns, tmp_path):
    write_csv(tmp_path / "v.csv", {"size": [1.0], "label": ["rrare"]})
    said = refused(tmp_path, {"train": "t.csv", "target": "label", "features": ["size"], "validation": "v.csv"})
    assert "A class of `validation` is new" in said
    assert "Did you mean 'rare'?" in said


def test_arrays_come_as_they_are(tmp_path):
    x, y = np.arange(24.0, dtype="float32").reshape(6, 2, 2), np.arange(6)
    np.savez(tmp_path / "a.npz", x=x, y=y, images=x + 1, labels=np.array(list("abcabc")))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    for train in ("a.npz", {"x": "x.npy", "y": "y.npy"}):
        rows = load(job(tmp_path, {"train": train}))
        assert rows.x.dtype == np.float32
        np.testing.assert_array_equal(rows.x, x)
        np.testing.assert_array_equal(rows.y, y)
        assert rows.n_features is None
    named = load(job(tmp_path, {"train": {"file": "a.npz", "x": "images", "y": "labels"}}))
    assert named.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(named.x, x + 1)


def test_arrays_that_hold_code_or_do_not_fit_are_refused(tmp_path):
    np.savez(tmp_path / "o.npz", x=np.array([{}]), y=np.zeros(1))
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 2)), y=np.zeros(3), short=np.zeros(2), wide=np.zeros((3, 5)))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    assert "Python objects are not read" in refused(tmp_path, "o.npz")
    assert "cannot be read" in refused(tmp_path, "broken.npz")
    assert "There is no array 'z'" in refused(tmp_path, {"train": {"file": "a.npz", "x": "z"}})
    assert "Received: [2, 3] rows" in refused(tmp_path, {"train": {"file": "a.npz", "y": "short"}})
    said = refused(tmp_path, {"train": "a.npz", "test": {"file": "a.npz", "x": "wide"}})
    assert "Held-out rows are of another shape" in said


CODE = """
import numpy as np
from beside import N

def rows(n=N, seed=None):
    return {"a": np.arange(n), "b": np.zeros((n, 2))}, [[float(i)] for i in range(n)]

def plain():
    return 3

def broken():
    raise ValueError("no database")
"""


def test_a_function_gives_rows_where_code_is_allowed(tmp_path):
    (tmp_path / "rows_of_a_test.py").write_text(CODE)
    (tmp_path / "beside.py").write_text("N = 8\n")
    data = {"train": {"function": "rows_of_a_test.py:rows", "arguments": {"n": 10}}, "validation": 0.2}
    rows = load(job(tmp_path, data), allow_code=True)
    assert (rows.x["a"].shape, rows.x["b"].shape, rows.y.shape) == ((8,), (8, 2), (8, 1))
    assert load(job(tmp_path, "rows_of_a_test:rows"), allow_code=True).y.shape == (8, 1)
    with pytest.raises(CodeError, match="--allow-code"):
        load(job(tmp_path, data))


@pytest.mark.parametrize(
    ("function", "error", "said"),
    [
        ("code_of_a_test.py:plain", DataError, r"Expected a pair \(x, y\)"),
        ("code_of_a_test.py:broken", CodeError, "ValueError: no database"),
        ("code_of_a_test.py:absent", CodeError, "no such function"),
        ("absent_of_a_test.py:rows", CodeError, "FileNotFoundError"),
        ("absent_of_a_test:rows", CodeError, "ModuleNotFoundError"),
    ],
)
def test_a_function_that_gives_no_rows_is_told(function, error, said, tmp_path):
    (tmp_path / "code_of_a_test.py").write_text(CODE)
    (tmp_path / "beside.py").write_text("N = 8\n")
    with pytest.raises(error, match=said):
        load(job(tmp_path, function), allow_code=True)


def test_a_share_is_drawn_to_within_a_row():
    for n in (2, 7, 100, 1001):
        for share in (0.05, 0.2, 0.5):
            picked = drawn(n, share, None, np.random.default_rng(n))
            assert abs(picked.sum() - n * share) <= 1
