"""A run as a document: Markdown, HTML, JSON, and its steps as CSV."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime

from core.running.run import Run
from core.running.run_json import run_as_json
from core.running.steps.progress import StepView
from core.values.registry import label_of
from core.values.statuses import STATUSES
from core.values.texts import inert
from core.web.markdown import blocks
from core.web.rendering import as_html as html_of
from core.web.rendering import as_markdown as markdown_of
from core.web.rendering import literal

Moment = Callable[[float], str]  # UTC seconds since the epoch -> text


def utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def as_markdown(run: Run, *, moment: Moment = utc) -> str:
    """Goal, answer, and each step with its result and who wrote it."""
    steps = run.steps()
    parts = [f"# {_said(run.record.goal)}", _said(_facts(run, moment)), _said(run.story)]
    if run.error:
        parts.append(f"**Not finished:** {_said(run.error.message)}")
    if answer := run.final_answer:
        parts += ["## Answer", rewritten(answer)]
    if run.plan:
        parts += ["## Steps", _said(run.plan.reasoning)]
    for view in steps[:-1]:
        assert view.step is not None
        parts.append(f"### {view.index + 1}. {_said(view.step.description)}")
        parts += map(_said, [_who(view), *_notes(run, view)])
        if view.state == "done":
            parts.append(rewritten(view.text))
    return "\n\n".join(part for part in parts if part) + "\n"


def rewritten(text: str) -> str:
    """A model's Markdown, made anew: the same to read, without an image or a tag in it."""
    return markdown_of(blocks(text))


def as_html(run: Run, *, moment: Moment = utc) -> str:
    """The same as one page that needs nothing from elsewhere and runs nothing."""
    said = html.escape
    parts = [
        f"<h1>{said(run.record.goal)}</h1><p class=facts>{said(_facts(run, moment))}</p>",
        f"<p>{said(run.story)}</p>",
    ]
    if run.error:
        parts.append(f"<p><strong>Not finished:</strong> {said(run.error.message)}</p>")
    if answer := run.final_answer:
        parts.append(f"<article>{html_of(blocks(answer))}</article>")
    if run.plan:
        parts.append(f"<h2>Steps</h2><p>{said(run.plan.reasoning)}</p>")
    for view in run.steps()[:-1]:
        assert view.step is not None
        notes = " ".join([_who(view), *_notes(run, view)])
        result = html_of(blocks(view.text)) if view.state == "done" else ""
        parts.append(
            f"<details open><summary>{view.index + 1}. {said(view.step.description)}</summary>"
            f"<p class=facts>{said(notes)}</p>{result}</details>"
        )
    return _PAGE.format(title=said(run.record.goal[:80]), body="\n".join(parts))


def as_json(run: Run) -> str:
    """The run in the API's form."""
    return json.dumps(run_as_json(run), ensure_ascii=False, indent=2)


def steps_as_csv(run: Run) -> str:
    """A line a step, for a spreadsheet: no cell of it is taken for a formula there."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["step", "agent", "description", "after", "suggested tool", "state", "result"])
    for view in run.steps()[:-1]:
        assert view.step is not None
        step = view.step
        after = " ".join(str(index + 1) for index in step.dependencies)
        result = view.text if view.state == "done" else ""
        cells = [step.agent_type, step.description, after, step.tool_name or "", view.state, result]
        table.writerow([view.index + 1, *map(inert, cells)])
    return written.getvalue()


def _facts(run: Run, moment: Moment) -> str:
    record, came_to = run.record, run.totals()
    facts = [STATUSES[run.phase].label, moment(record.finished_at or record.started_at)]
    steps = run.steps()
    if steps and (by := steps[-1].answered):
        facts.append(f"answer by {label_of(by.provider)} ({_line(by.model)})")
    if came_to.took:
        facts.append(came_to.took)
    facts += [came_to.asked, f"cost: {came_to.cost}"]
    if record.simulated:
        facts.append("practice: no model wrote this")
    if record.request.private:
        facts.append("private: it stayed on this computer")
    return " · ".join(facts)


def _who(view: StepView) -> str:
    by = view.answered
    return (
        f"By {label_of(by.provider)} ({_line(by.model)})."
        if by
        else f"{STATUSES[view.state].label}."
    )


def _notes(run: Run, view: StepView) -> list[str]:
    notes = [
        f"It was given the result of step {cut.step + 1} in part: {cut.kept:,} of {cut.whole:,}"
        " characters."
        for cut in run.cuts(view.index)
    ]
    if view.answered and view.answered.message:
        notes.append(_line(view.answered.message))
    if view.reason:
        notes.append(_line(view.reason))
    return notes


def _line(text: str) -> str:
    return " ".join(text.split())


def _said(text: str) -> str:
    return literal(_line(text))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.6 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem; padding: 0 1rem;
overflow-wrap: anywhere }}
h1 {{ font-size: 1.6rem; line-height: 1.25 }} h2, h3, h4, h5, h6 {{ margin-bottom: .3rem }}
p, th, td {{ white-space: pre-line }} li > p {{ margin: .2rem 0 }}
li.box {{ list-style: none; margin-left: -1.3em }}
blockquote {{ border-left: 3px solid #8886; margin: 1em 0; padding-left: 1em }}
.wide {{ overflow-x: auto }} table {{ border-collapse: collapse; overflow-wrap: normal }}
th, td {{ border: 1px solid #8886; padding: .3rem .6rem; text-align: left; vertical-align: top }}
.address {{ opacity: .7; font-size: .9em }}
.facts {{ opacity: .7; font-size: .9rem }}
details {{ border-top: 1px solid #8884; padding: .6rem 0 }}
summary {{ cursor: pointer; font-weight: 600 }}
pre {{ background: #8882; border-radius: 8px; overflow: auto; padding: .8rem }}
@media print {{
body {{ margin: 0; max-width: none }} pre {{ white-space: pre-wrap }} .wide {{ overflow: visible }}
h2, h3, h4, h5, h6, summary {{ break-after: avoid }} tr, pre {{ break-inside: avoid }}
}}
</style></head><body>
{body}
</body></html>
"""
