"""Providers: how each one is, and what to do about it."""

from __future__ import annotations

import streamlit as st

st.title("Providers")
