"""Bring what has just begun into view, where it would begin below the window's end."""

from __future__ import annotations

import streamlit as st

_component = st.components.v2.component(
    "switchyard_into_view",
    html="<span></span>",
    js="""
// On a phone the run stands below the form that started it.
export default function ({ data, parentElement }) {
  const mark = parentElement.querySelector("span");
  if (!data.name || mark.seen === data.name) return;
  mark.seen = data.name;
  if (mark.getBoundingClientRect().top < window.innerHeight * 0.8) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const host = mark.getRootNode().host ?? mark;
  host.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}
""",
)


def into_view(name: str) -> None:
    """Once for each `name`; never for an empty one."""
    _component(key="into view", data={"name": name})
