"""A run in a sentence: who planned it, who did its steps, who failed and who took over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from core.values.calls import Attempt, Decision, Skip
from core.values.outcomes import ErrorKind
from core.values.registry import label_of
from core.values.telling.attempts import SKIPS, skip_in_short
from core.values.telling.jobs import Job, at_fault, jobs_of, last_by_provider
from core.values.wording import count, listed, seconds_in_words, steps_in_words

_MOST_REASONS = 3  # told at once; of more it is said how many, and whose
_ON_THE_WAY = 2  # reasons told of all steps together
_PAST = {"is": "was", "does": "did"}


@dataclass(frozen=True, slots=True)
class _Verbs:
    did: str
    does: str
    was_at_it: str
    lacks: str


_PLAN = _Verbs("planned it", "planning it", "was planning it", "there is no plan")
_ANSWER = _Verbs(
    "wrote the answer", "writing the answer", "was writing the answer", "there is no answer"
)
_LAST = replace(_ANSWER, did="wrote the last answer")
_Clause = tuple[str, str]  # who, and what they did; or nobody, and a whole clause


def story(
    attempts: Sequence[Attempt],
    decisions: Sequence[Decision] = (),
    *,
    steps: int | None = None,
    skipped: Collection[int] = (),
) -> str:
    """A run in a sentence: who planned it, who did its steps, who failed, who wrote the answer.

    `steps` are how many the plan has, the answer being one more; None: not known. `skipped` are
    those that a person left out. A second sentence names who was passed over.

    `Google planned it; OpenAI did the 6 steps; DeepSeek was overloaded in step 3, so OpenAI took
    over; OpenAI wrote the answer. Not asked: Anthropic, out of credit.`
    """
    told = "; ".join(_joined(_clauses(attempts, steps, skipped))) or "nobody was asked"
    told = f"{told[0].upper()}{told[1:]}."
    return f"{told} {_not_asked(decisions, attempts)}".rstrip()


def _clauses(
    attempts: Sequence[Attempt], steps: int | None, skipped: Collection[int]
) -> Iterator[_Clause]:
    jobs = jobs_of(attempts, steps)
    if jobs.plan:
        yield from _one(jobs.plan, _PLAN, timed=len(jobs.plan.attempts) == len(attempts))
    yield from _several(jobs.steps, steps)
    left_out = {*skipped} - {job.step for job in jobs.steps if job.done} - {steps}
    if left_out:
        yield "", f"{steps_in_words(left_out)} {_were(left_out)} left out"
    if steps in skipped and not (jobs.answer and jobs.answer.done):
        yield "", "the answer was left out"
    elif jobs.answer:
        yield from _one(jobs.answer, _LAST if steps is None else _ANSWER)


def _not_asked(decisions: Iterable[Decision], attempts: Iterable[Attempt]) -> str:
    """`Not asked: Anthropic, out of credit; Google and Kimi, resting.`; of those asked nothing."""
    asked = {attempt.provider for attempt in attempts}
    skips = {skip.provider: skip for decision in decisions for skip in decision.skipped}
    names: dict[str, list[str]] = {}  # by why
    for name, skip in skips.items():
        if name not in asked and SKIPS[skip.reason].set_up:
            names.setdefault(_why_not(skip), []).append(label_of(name))
    told = "; ".join(f"{listed(those)}, {why}" for why, those in names.items())
    return f"Not asked: {told}." if told else ""


def _why_not(skip: Skip) -> str:
    """Without the moment, which is past when the story is told."""
    if skip.reason == "resting":
        return "resting"
    if skip.reason == "needs_attention" and skip.error_kind:
        reason = skip.error_kind.outcome.reason
        return reason[0].lower() + reason[1:]
    return skip_in_short(skip)


def _joined(clauses: Iterable[_Clause]) -> Iterator[str]:
    """What one did after the other is said together: `Google planned it and did the step`."""
    for who, same in groupby(clauses, key=lambda clause: clause[0]):
        texts = [text for _, text in same]
        yield from [f"{who} {listed(texts)}"] if who else texts


def _one(job: Job, verbs: _Verbs, *, timed: bool = False) -> Iterator[_Clause]:
    """The plan, or the answer."""
    done = job.done
    if done is None:
        yield from _without_end(job, verbs)
        return
    act = verbs.did
    if timed:
        act += f" in {seconds_in_words((done.latency_ms or 0.0) / 1000)}"
    own = [each for each in job.failed if each.provider == done.provider]
    if own:
        act += f", asked {'once more' if len(own) == 1 else 'again'} because {_its_past(own[-1])}"
    before = _reasons([each for each in job.failed if each.provider != done.provider])
    name = label_of(done.provider)
    if before or own:
        yield "", f"{before}, so {name} {act}" if before else f"{name} {act}"
    else:
        yield name, act


def _without_end(job: Job, verbs: _Verbs) -> Iterator[_Clause]:
    before = _reasons(job.failed)
    if job.state == "failed":
        yield "", f"{before}, so {verbs.lacks}"
        return
    if before:
        yield "", before
    if job.state == "running":
        asked = [each for each in job.attempts if each.status == "running"]
        yield "", f"{_names(asked)} {_are(asked)} {verbs.does}"
    else:
        yield "", f"{_stopped(job)} while {_names(job.cut[-1:])} {verbs.was_at_it}"


def _several(jobs: Sequence[Job], steps: int | None) -> Iterator[_Clause]:
    """The steps, all together."""
    done = [job.done for job in jobs if job.done]
    if done:
        yield _names(done), f"did {_how_many(len(done), steps)}"
    yield from (("", text) for text in _on_the_way(jobs))
    under_way = [job for job in jobs if job.state == "running"]
    if under_way:
        asked = [each for job in under_way for each in job.attempts if each.status == "running"]
        yield "", f"{_names(asked)} {_are(asked)} at work on {_numbered(under_way)}"
    for words in ("it was stopped", "Manyways stopped"):
        for later, then in ((False, ""), (True, " and continued")):
            cut = [job for job in jobs if _is_cut(job) and _stopped(job) == words]
            if there := [job for job in cut if job.continued is later]:
                yield "", f"{words} during {_numbered(there)}{then}"


def _on_the_way(jobs: Sequence[Job]) -> Iterator[str]:
    """Who failed in which steps, and who took over."""
    where: dict[str, list[Job]] = {}  # by what happened
    for job in jobs:
        for attempt in last_by_provider(job.failed):
            where.setdefault(_past(attempt), []).append(job)
    undone = [job for job in jobs if job.state == "failed"]
    if len(where) <= _ON_THE_WAY:
        for there, reasons in groupby(where, key=where.__getitem__):
            yield f"{listed(reasons)} in {_numbered(there)}{_then(there)}"
            undone = [job for job in undone if there != undone]
    else:
        yield f"{_reasons([each for job in jobs for each in job.failed], most=0)} on the way"
    if undone:
        yield f"{_numbered(undone)} {_were(undone)} not done"


def _then(jobs: Sequence[Job]) -> str:
    """What came of steps in which the same happened."""
    if all(job.state == "failed" for job in jobs):
        return f", which {_were(jobs)} not done"
    took_over = [job.done for job in jobs if job.done]
    names = {each.provider for each in took_over}
    failed = {each.provider for job in jobs for each in job.failed}
    if len(took_over) == len(jobs) and names == failed and len(failed) == 1:
        return ", so it was asked once more"
    if len(took_over) < len(jobs) or names & failed:
        return ""
    return f", so {_names(took_over) if len(names) == 1 else 'others'} took over"


def _reasons(failed: Sequence[Attempt], *, most: int = _MOST_REASONS) -> str:
    """Why each of them failed; where that is more than `most`, how many calls did, and whose."""
    last = last_by_provider(failed)
    if len(last) <= most:
        return listed(map(_past, last))
    calls = [each for each in failed if at_fault(each)]
    odd = [_past(each) for each in last if not at_fault(each)]
    many = [f"{count(len(calls), 'call')} to {_names(calls)} failed"] if calls else []
    return listed([*many, *odd])


def _past(attempt: Attempt) -> str:
    """`Anthropic was overloaded`"""
    if attempt.error_kind is ErrorKind.INTERNAL:
        return f"Manyways failed while it asked {label_of(attempt.provider)}"
    return f"{label_of(attempt.provider)} {_said_past(attempt)}"


def _its_past(attempt: Attempt) -> str:
    """The same of one that is named already: `it was overloaded`."""
    if attempt.error_kind is ErrorKind.INVALID_PLAN:
        return "its plan did not hold"
    if attempt.error_kind is ErrorKind.INTERNAL:
        return "Manyways failed"
    return f"it {_said_past(attempt)}"


def _said_past(attempt: Attempt) -> str:
    if attempt.drilled:
        return "was pretended down in a fire drill"
    if attempt.error_kind is None:
        return "did not answer"
    verb, _, rest = attempt.error_kind.outcome.said.partition(" ")
    return f"{_PAST.get(verb, verb)} {rest}"


def _is_cut(job: Job) -> bool:
    return job.state in ("cancelled", "interrupted") or job.continued


def _stopped(job: Job) -> str:
    return "Manyways stopped" if job.cut[-1].status == "interrupted" else "it was stopped"


def _names(attempts: Iterable[Attempt]) -> str:
    return listed(dict.fromkeys(label_of(each.provider) for each in attempts))


def _numbered(jobs: Sequence[Job]) -> str:
    return steps_in_words({job.step for job in jobs if job.step is not None})


def _are(attempts: Iterable[Attempt]) -> str:
    return "is" if len({each.provider for each in attempts}) == 1 else "are"


def _were(these: Collection[object]) -> str:
    return "was" if len(these) == 1 else "were"


def _how_many(done: int, steps: int | None) -> str:
    if steps is None or done > steps:
        return count(done, "step")
    if done < steps:
        return f"{done} of the {steps} steps"
    return "the step" if steps == 1 else f"the {steps} steps"
