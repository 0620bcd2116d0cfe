"""Scrolls what somebody wants to see into view, where it begins in the window's lower half."""

from __future__ import annotations

import streamlit as st

_component = st.components.v2.component(
    "manyways_into_view",
    html="<span></span>",  # only a place to start from
    js="""
// On a phone the run stands below the form that started it.
const seen = new Set();
export default function ({ data, parentElement }) {
  const mark = parentElement.querySelector("span");
  if (!data.name || seen.has(data.name)) return;
  seen.add(data.name);
  const begun = mark.getRootNode().host.closest(`.st-key-${data.around}`);
  if (!begun || begun.getBoundingClientRect().top < window.innerHeight * 0.5) return;
  begun.style.scrollMarginTop = "4rem"; // of the bar that stays
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  begun.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}
""",
)


def into_view(name: str, *, around: str) -> None:
    """The container with the key `around`, once for each `name`; never for an empty one."""
    _component(key="into view", data={"name": name, "around": around})
