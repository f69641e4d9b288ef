import threading
import warnings

import pytest

from autofix.search.beside import beside


def test_both_sides_run_at_once_and_are_over_afterwards():
    body, work = threading.Event(), threading.Event()

    def wait_for_the_body():
        work.set()
        assert body.wait(10)
        return 7

    with beside(wait_for_the_body) as future:
        assert work.wait(10)
        body.set()
    assert future.done()
    assert future.result() == 7


def test_what_the_work_raises_its_result_raises():
    with beside(lambda: 1 / 0) as future, pytest.raises(ZeroDivisionError):
        future.result()


def test_an_error_of_the_body_waits_for_the_work():
    ended = threading.Event()
    with pytest.raises(KeyError), beside(ended.set):
        raise KeyError
    assert ended.is_set()


def test_warning_filters_are_given_back_in_whatever_order_both_sides_change_them():
    inside, left = threading.Event(), threading.Event()

    def ignore_for_a_while():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inside.set()
            assert left.wait(10)

    before = list(warnings.filters)
    with beside(ignore_for_a_while):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert inside.wait(10)
        left.set()
    assert warnings.filters == before
