"""What several test files start from."""

import pytest
from hypothesis import settings

from tests import standin
from tests.standin import PLAN, Yard

settings.register_profile("any machine", deadline=None)  # however busy it is
settings.load_profile("any machine")


@pytest.fixture
def yard():
    """Seven stand-in vendors, each answering with a plan until a test says otherwise."""
    with Yard({}) as yard:
        for name in yard:
            yard[name].script = lambda received: standin.answer(PLAN)
        yield yard
