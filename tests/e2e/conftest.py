"""Fixtures of the end-to-end tests: a daemon per test, or as many as it wants."""
import pytest

import lodgetest


@pytest.fixture
def make_daemon():
    """A function that makes a Daemon, not started; all are ended, and looked over, after the test."""
    made = []

    def make(**environment):
        made.append(lodgetest.Daemon(**environment))
        return made[-1]

    yield make
    wrong = [line for daemon in made for line in daemon.close()]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def daemon(make_daemon):
    """A running daemon with a root of its own."""
    return make_daemon().start()
