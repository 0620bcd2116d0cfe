"""A run in the API's form."""

from __future__ import annotations

from typing import Any

from core.routing.skips import passed_over
from core.running.feed import attempt_as_json
from core.running.run import Run
from core.running.steps.progress import StepView
from core.values.calls import Skip
from core.values.telling.attempts import skip_in_words


def run_as_json(run: Run) -> dict[str, Any]:
    """A result, or an error with what there is all the same."""
    record, error = run.record, run.error
    told = {
        "story": run.story,
        "attempts": [attempt_as_json(attempt) for attempt in run.attempts],
        "skipped": _skipped(run),
    }
    if error is not None:
        said = {"kind": error.kind, "message": error.message, "action": error.action}
        body = {"status": "error", "run_id": record.id, "error": said, **told}
        return body | _plan(run) if run.plan else body
    return {
        "status": "success" if record.status == "completed" else record.status,
        "run_id": record.id,
        "goal": record.goal,
        "plan": None,
        "provider_used": record.provider,
        "model": record.model,
        "strategy": record.strategy,
        **told,
        **_plan(run),
        "autonomous": True,
        "llm_powered": run.plan is not None,
        "simulated": record.simulated,
        "timestamp": record.finished_at or record.started_at,
    }


def skip_as_json(skip: Skip) -> dict[str, Any]:
    """One that was passed over; its moment in words is in UTC."""
    return {
        "provider": skip.provider,
        "reason": skip.reason,
        "message": skip_in_words(skip),
        "until": skip.until,
    }


def _skipped(run: Run) -> list[dict[str, Any]] | None:
    """None: it is a run of an earlier version, which did not record it."""
    if run.task is None and not run.record.decisions:
        return None
    return [skip_as_json(skip) for skip in passed_over(run.record.decisions)]


def _plan(run: Run) -> dict[str, Any]:
    steps = run.steps()
    body: dict[str, Any] = {
        "plan": run.plan.model_dump() if run.plan else None,
        "execution_results": [],
        "execution_status": run.execution_status,
    }
    if run.progress.begun and steps:
        body["execution_results"] = [_step(run, view) for view in steps[:-1]]
        body["final_answer"] = run.final_answer
    return body


def _step(run: Run, view: StepView) -> dict[str, Any]:
    by = view.answered
    return {
        "step": view.index,
        "status": view.state,
        "provider": by.provider if by else None,
        "model": by.model if by else None,
        "content": view.text if view.state == "done" else None,
        "message": view.reason,
        "shortened": [
            {"step": cut.step, "kept": cut.kept, "whole": cut.whole} for cut in run.cuts(view.index)
        ],
    }
