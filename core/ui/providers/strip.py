"""The strip of small bars on a card: how a provider fared, hour by hour or day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, tzinfo

import streamlit as st

from core.insight.strips import STATES, Cell, State, in_words

# Each state has a shape of its own, so that nobody needs to tell the colours apart.
_CSS = """
.strip { display: flex; gap: 2px; height: 28px; align-items: flex-end; }
.bar { position: relative; flex: 1 1 0; min-width: 2px; max-width: 44px; height: 100%;
       border-radius: 2px; box-sizing: border-box; }
.ok { background: var(--st-green-color); }
.mixed { border: 1.5px solid var(--st-orange-color);
         background: repeating-linear-gradient(135deg, var(--st-orange-color) 0 2px,
                     transparent 2px 5px); }
.failing { height: 45%; background: var(--st-red-color); border-top: 3px double
           var(--st-background-color); outline: 1.5px solid var(--st-red-color); }
.resting { border: 1.5px dashed var(--st-text-color); height: 70%; opacity: 0.75; }
.idle { height: 3px; background: var(--st-border-color); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 0.85rem; opacity: 0.85;
          font-family: var(--st-font); color: var(--st-text-color); }
.legend span { display: inline-flex; align-items: flex-end; gap: 6px; line-height: 1; }
.legend .bar { flex: none; width: 8px; height: 14px; }
.legend .bar.failing { height: 7px; }
.legend .bar.resting { height: 10px; }
.legend .bar.idle { height: 3px; }
"""

_JS = """
export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".root");
  const bar = (state) => {
    const made = document.createElement("i");
    made.className = `bar ${state}`;
    return made;
  };
  if (data.legend) {
    root.className = "root legend";
    root.replaceChildren(...data.legend.map(([state, word]) => {
      const entry = document.createElement("span");
      const mark = bar(state);
      mark.setAttribute("aria-hidden", "true");
      entry.append(mark, word);
      return entry;
    }));
    return;
  }
  root.className = "root strip";
  root.setAttribute("role", "img");
  root.setAttribute("aria-label", data.label);
  root.replaceChildren(...data.bars.map(([state, title]) => {
    const made = bar(state);
    made.title = title;
    return made;
  }));
}
"""

_component = st.components.v2.component(
    "manyways.strip", html='<div class="root"></div>', css=_CSS, js=_JS
)


def strip(cells: Sequence[Cell], *, label: str, form: str, zone: tzinfo, key: str) -> None:
    """`form` is how a cell's start is written, as `datetime.strftime` takes it."""
    bars = []
    for cell in cells:
        at = datetime.fromtimestamp(cell.since, zone)
        bars.append([cell.state, f"{at.strftime(form)}: {in_words(cell)}"])
    _component(data={"bars": bars, "label": f"{label}: {_summary(cells)}"}, key=key, height=28)


def legend() -> None:
    _component(data={"legend": list(STATES.items())}, key="legend")


def _summary(cells: Sequence[Cell]) -> str:
    """What somebody hears who does not see the bars: `answered in 20, resting in 1`"""
    counts: Counter[State] = Counter(cell.state for cell in cells)
    return ", ".join(
        f"{word} in {counts[state]}" for state, word in STATES.items() if counts[state]
    )
