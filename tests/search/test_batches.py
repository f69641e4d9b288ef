import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autofix.search.batches import batches


@given(
    n_rows=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    steps=st.integers(0, 50),
    shuffle=st.booleans(),
    seed=st.integers(0, 99),
)
def test_batches_have_one_shape_and_hold_every_row_in_each_epoch(n_rows, batch_size, steps, shuffle, seed):
    rows = 1000 + 3 * np.arange(n_rows)
    index = batches(rows, batch_size, steps, shuffle=shuffle, seed=seed)
    assert index.shape == (steps, batch_size)
    assert index.dtype == np.int32
    assert np.isin(index, rows).all()
    per_epoch = -(-n_rows // batch_size)
    for start in range(0, steps - per_epoch + 1, per_epoch):
        epoch = index[start : start + per_epoch].ravel()
        np.testing.assert_array_equal(np.sort(epoch[:n_rows]), rows)
        if not shuffle:
            np.testing.assert_array_equal(epoch[:n_rows], rows)
    np.testing.assert_array_equal(index, batches(rows, batch_size, steps, shuffle=shuffle, seed=seed))


@given(n_rows=st.integers(1, 40), held_out=st.integers(0, 20), batch_size=st.integers(1, 20), shuffle=st.booleans())
def test_a_partial_batch_holds_its_own_rows_again_as_often_as_in_the_whole_epoch(n_rows, held_out, batch_size, shuffle):
    epoch_rows = n_rows + held_out
    per_epoch = -(-epoch_rows // batch_size)
    index = batches(np.arange(n_rows), batch_size, 3 * per_epoch, shuffle=shuffle, seed=0, epoch_rows=epoch_rows)
    last = epoch_rows - (per_epoch - 1) * batch_size
    for number, batch in enumerate(index):
        size = last if number % per_epoch == per_epoch - 1 else batch_size
        np.testing.assert_array_equal(batch, np.resize(batch[:size], batch_size))
    drawn = np.concatenate(
        [batch[: last if number % per_epoch == per_epoch - 1 else batch_size] for number, batch in enumerate(index)]
    )
    assert len(drawn) == 3 * epoch_rows
    counts = np.bincount(drawn, minlength=n_rows)
    assert counts.max() - counts.min() <= 1


def test_each_epoch_has_a_new_order_and_each_seed_another_one():
    first, second = batches(np.arange(40), 40, 2, shuffle=True, seed=0)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, batches(np.arange(40), 40, 1, shuffle=True, seed=1)[0])
