"""What several test files start from."""

import pytest

from tests import standin
from tests.standin import PLAN, Yard


@pytest.fixture
def yard():
    """Seven stand-in vendors, each answering with a plan until a test says otherwise."""
    with Yard({}) as yard:
        for name in yard:
            yard[name].script = lambda received: standin.answer(PLAN)
        yield yard
