"""The runs there are: those under way or just finished, and those that the history has."""

from __future__ import annotations

import threading

from core.running.run import Run
from core.values.errors import BadRequest
from core.values.ports import Archive
from core.values.runs import RunRecord, RunRequest

_KEPT = 200  # finished runs kept in memory; older ones are read from the history


class Runs:
    """Any thread may ask. Who puts one in holds `lock` from what it looked at until then."""

    def __init__(self, archive: Archive) -> None:
        self.lock = threading.Lock()
        self._archive = archive
        self._runs: dict[str, Run] = {}
        self._by_key: dict[str, str] = {}

    def get(self, run_id: str) -> Run | None:
        """A run under way or just finished; None if only the history can know it."""
        return self._runs.get(run_id)

    def stored(self, run_id: str) -> Run | None:
        """A run as the history has it, in the form of a finished one."""
        record = self._archive.run(run_id)
        if record is None:
            return None
        return Run.finished(
            record, self._archive.calls_of(run_id), self._archive.answers_of(run_id)
        )

    def find(self, run_id: str) -> Run | None:
        """Wherever it is."""
        return self.get(run_id) or self.stored(run_id)

    def settled(self, run_id: str) -> Run:
        """One that is not under way.

        Raises:
            BadRequest: it is, or there is no such run.
        """
        run = self.find(run_id)
        if run is None:
            raise BadRequest("There is no run with this id.")
        if run.record.status == "running":
            raise BadRequest("This run is under way already.")
        return run

    def active(self) -> list[Run]:
        return [run for run in list(self._runs.values()) if run.record.status == "running"]

    def asked_before(self, request: RunRequest) -> RunRecord | None:
        """The run that was begun with the same idempotency key.

        Raises:
            BadRequest: something else was asked for with it.
        """
        key = request.idempotency_key
        if key is None:
            return None
        run = self._runs.get(self._by_key.get(key, ""))
        known = run.record if run else self._archive.run_by_idempotency_key(key)
        if known and not request.asks_the_same(known.request):
            raise BadRequest("This Idempotency-Key was used for another request.")
        return known

    def put(self, run: Run) -> None:
        """A new run, or the same one as it goes on from now."""
        record = run.record
        self._runs[record.id] = run
        if key := record.request.idempotency_key:
            self._by_key[key] = record.id
        done = [run_id for run_id, run in self._runs.items() if run.record.status != "running"]
        for run_id in done[:-_KEPT]:
            gone = self._runs.pop(run_id).record.request.idempotency_key
            if gone:
                self._by_key.pop(gone, None)
