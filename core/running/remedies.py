"""What a person can do about a failure, and about the run that it ended."""

from __future__ import annotations

from collections.abc import Sequence

from core.routing.skips import helps, passed_over
from core.values.calls import Attempt, Decision
from core.values.outcomes import Leads, Remedy
from core.values.registry import PROVIDERS, label_of
from core.values.telling.jobs import jobs_of


def blamed(attempts: Sequence[Attempt]) -> Attempt | None:
    """The failure to see to first: one that no waiting helps, else the first of all."""
    failed = [
        attempt
        for attempt in attempts
        if attempt.status == "failed" and attempt.error_kind and not attempt.drilled
    ]
    for attempt in failed:
        if attempt.error_kind and attempt.error_kind.outcome.needs_you:
            return attempt
    return failed[0] if failed else None


def remedy(attempt: Attempt) -> Remedy | None:
    """The button for this failure, with the provider's name in its label."""
    found = attempt.error_kind.outcome.remedy if attempt.error_kind else None
    if found is None:
        return None
    return Remedy(found.label.format(it=label_of(attempt.provider)), found.leads)


def what_helps(
    kind: str,
    attempts: Sequence[Attempt],
    decisions: Sequence[Decision],
    *,
    steps: int | None,
    begun: bool,
) -> str:
    """What to do about a run that ended with an error of this kind, told from what is recorded.

    `begun`: its `steps` were being carried out, so that it can be continued.
    """
    if kind == "limit":
        return "Raise this limit and continue; what is done is kept."
    on = "Continue it; what is done is kept." if begun else "Run it again."
    if kind not in ("all_providers_failed", "deadline"):
        return on
    jobs = jobs_of(attempts, steps)
    every = [job for job in (jobs.plan, *jobs.steps, jobs.answer) if job and not job.done]
    failed = [each for job in every for each in job.failed if not each.drilled]
    first = helps(passed_over(decisions), failed)
    kinds = {each.error_kind for each in failed}
    only = kinds.pop() if len(kinds) == 1 else None
    if not first and only and only.outcome.circuit == "neutral":
        return only.outcome.action
    return f"{first}, or {on[0].lower()}{on[1:]}" if first else on


def page_of(attempt: Attempt, leads: Leads) -> str | None:
    """The vendor's page for `billing` or `keys`; None where there is none, as in practice."""
    spec = PROVIDERS.get(attempt.provider)
    if spec is None or attempt.simulated:
        return None
    return {"billing": spec.billing_page or spec.keys_page, "keys": spec.keys_page}.get(leads)


def moved_down(order: Sequence[str], name: str, answered: str | None) -> list[str]:
    """`order` with `name` just below whoever answered; at the end where nobody did.

    One that stands below already goes one place further.
    """
    rest = [other for other in order if other != name]
    place = list(order).index(name)
    place = max(rest.index(answered), place) + 1 if answered in rest else len(rest)
    return [*rest[:place], name, *rest[place:]]
