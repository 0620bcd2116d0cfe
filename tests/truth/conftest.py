"""What the audits share."""

import pytest

from tests.truth import histories


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Paths of histories, each written once and left as it is."""
    folder, made = tmp_path_factory.mktemp("truth"), {}

    def path(name):
        if name not in made:
            made[name] = folder / f"{name}.db"
            histories.write(name, made[name])
        return made[name]

    return path
