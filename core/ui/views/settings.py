"""Settings: what is in force and where it comes from, and the history's upkeep."""

from __future__ import annotations

import streamlit as st

st.title("Settings")
