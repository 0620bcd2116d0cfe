"""Performance: success rates, latencies and costs of a period, and what changed them."""

from __future__ import annotations

import streamlit as st

st.title("Performance")
