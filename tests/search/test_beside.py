import sys
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


def test_threads_hand_pythons_lock_on_sooner_meanwhile():
    before = sys.getswitchinterval()
    with beside(lambda: None):
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before


def test_what_the_work_raises_its_result_raises():
    with beside(lambda: 1 / 0) as future, pytest.raises(ZeroDivisionError):
        future.result()


def test_an_error_of_the_body_waits_for_the_work():
    ended, before = threading.Event(), sys.getswitchinterval()
    with pytest.raises(KeyError), beside(ended.set):
        raise KeyError
    assert ended.is_set()
    assert sys.getswitchinterval() == before


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
