"""What a person is offered to do about a failure."""

import pytest

from core.running.remedies import blamed, moved_down, page_of, remedy
from core.values.calls import Attempt
from core.values.outcomes import ErrorKind
from core.values.registry import PROVIDERS


def attempt(provider: str, kind: ErrorKind | None = None, **more: object) -> Attempt:
    status = "ok" if kind is None else "failed"
    return Attempt(1, 0, provider, "m", "priority", 0.0, status=status, error_kind=kind, **more)


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_button_names_the_provider_it_is_about(kind):
    found = remedy(attempt("anthropic", kind))
    assert found is None or "{" not in found.label


def test_what_needs_a_person_comes_before_what_passes_by_itself():
    attempts = [
        attempt("anthropic", ErrorKind.OVERLOADED),
        attempt("openai", ErrorKind.BILLING),
        attempt("google"),
    ]
    assert blamed(attempts).provider == "openai"
    assert blamed(attempts[::2]).provider == "anthropic"
    assert blamed(attempts[2:]) is None


def test_a_fire_drill_is_nobodys_failure():
    assert blamed([attempt("anthropic", ErrorKind.CONNECTION, drilled=True)]) is None


@pytest.mark.parametrize("name", [name for name, spec in PROVIDERS.items() if not spec.runs_here])
def test_bills_and_keys_lead_to_the_vendors_own_pages(name):
    for leads in ("billing", "keys"):
        page = page_of(attempt(name, ErrorKind.BILLING), leads)
        assert page
        assert page.startswith("https://")


def test_practice_leads_to_no_vendor():
    assert page_of(attempt("anthropic", ErrorKind.BILLING, simulated=True), "billing") is None


@pytest.mark.parametrize(
    ("name", "answered", "moved"),
    [
        ("a", "c", "bcad"),  # just below whoever answered
        ("c", "a", "abdc"),  # below already: one place further
        ("b", "c", "acbd"),
        ("d", "a", "abcd"),  # last already
        ("a", None, "bcda"),  # nobody answered: last
        ("a", "z", "bcda"),
    ],
)
def test_a_provider_is_moved_below_whoever_answered(name, answered, moved):
    assert "".join(moved_down("abcd", name, answered)) == moved
