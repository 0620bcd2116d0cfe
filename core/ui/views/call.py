"""Call: one call on a page of its own."""

from __future__ import annotations

import streamlit as st

st.title("Call")
