"""One page of Performance, asked for and gone through."""

import csv
import io
import time
from urllib.parse import urlencode

from core.ui.performance.links import Scope
from core.ui.performance.panels import PANELS
from core.values.periods import Period
from db.lists.export import export_csv
from tests.truth import definitions as truth
from tests.truth.performance import Asked, faults, lead_astray

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]
_PERFORMANCE = "performance/performance.py"


def audited(opened, query, *, rows=None, since=None, until=None, name="7d", simulated=False):
    """What the page says that is not so. `rows`: those that figures count, if some are removed."""
    path, page, left = opened.path, opened.page, opened.rows
    rows = rows or left
    while True:
        begun = time.time()
        page.open(_PERFORMANCE, {**query, "simulated": str(simulated).lower()})
        if begun // 60 == time.time() // 60:
            break
    if since is None:
        first = rows.first_figure(simulated=simulated)
        since, until = truth.period(name, now=begun, zone=page.zone, first=first)

    def export(filters):
        """The ids; of each question once, for many links ask the same."""
        asked = urlencode(sorted(filters.items()), doseq=True)
        if asked not in opened.exported:
            table = csv.reader(io.StringIO("".join(export_csv(path, filters))))
            opened.exported[asked] = {row[0] for row in [*table][1:]}
        return opened.exported[asked]

    asked = Asked(rows, left, since, until, page.zone, simulated, name != "all", export)
    scope = Scope(Period(since, until), simulated)
    return [*faults(page, asked), *lead_astray(PANELS, scope, page, asked)]
