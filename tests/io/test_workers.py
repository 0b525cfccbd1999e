"""Work that threads share, against the work of one."""

from __future__ import annotations

import threading

import pytest

from h5flow.io.workers import Workers


@pytest.fixture(params=[1, 2, 5])
def workers(request):
    made = Workers(lambda: request.param)
    yield made
    made.close()


def test_results_come_in_the_order_of_their_items(workers):
    assert list(workers.each(lambda number: number * 2, range(50))) == list(range(0, 100, 2))
    assert list(workers.each(str, [])) == []


def test_the_first_error_is_raised_and_ends_the_work(workers):
    begun = []

    def fail(number):
        begun.append(number)
        if number >= 3:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="3"):
        list(workers.each(fail, range(1000)))
    assert len(begun) < 50


def test_no_more_results_wait_than_were_allowed():
    workers, begun = Workers(lambda: 2), []
    for taken, _ in enumerate(workers.each(begun.append, range(100), ahead=3)):
        assert len(begun) <= taken + 3 * 2 + 2
    workers.close()


def test_work_is_done_by_several_threads_at_once():
    workers, meeting = Workers(lambda: 2), threading.Barrier(2, timeout=30)
    list(workers.each(lambda _: meeting.wait(), range(2)))
    workers.close()


def test_threads_begin_again_after_they_were_ended(workers):
    workers.close()
    assert list(workers.each(abs, [-1, -2])) == [1, 2]


def test_a_count_below_one_is_one():
    assert Workers(lambda: 0).threads == 1


def test_work_goes_on_in_a_forked_process_and_when_python_ends(run_python):
    code = """
import atexit, os
from h5flow.io.workers import Workers

workers = Workers(lambda: 2)
assert list(workers.each(abs, [-1, -2, -3])) == [1, 2, 3]
child = os.fork()
if not child:
    print("child", list(workers.each(abs, [-1, -2, -3])), flush=True)
    os._exit(0)
os.waitpid(child, 0)
atexit.register(lambda: print("end", list(workers.each(abs, [-4, -5]))))
"""
    found = run_python(code)
    assert found.returncode == 0, found.stderr
    assert found.stdout == "child [1, 2, 3]\nend [4, 5]\n"
