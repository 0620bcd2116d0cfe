"""The console: navigation, and the health of the providers below it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import streamlit as st

from core.ui import show
from core.ui.address import drawing
from core.ui.components import drill_banner as drill
from core.ui.components import who
from core.ui.services import services

_HERE = Path(__file__).parent

st.set_page_config(page_title="Manyways", page_icon=str(_HERE / "manyways.svg"), layout="wide")
st.logo(str(_HERE / "logo.svg"), icon_image=str(_HERE / "manyways.svg"), size="large")

page = st.navigation(
    {
        "Work": [
            st.Page(
                "run/run_plan.py", title="Run plan", icon=":material/play_circle:", default=True
            ),
            st.Page(
                "run/compare.py",
                title="Compare",
                icon=":material/compare_arrows:",
                url_path="compare",
            ),
            st.Page(
                "history/history.py", title="History", icon=":material/history:", url_path="history"
            ),
            st.Page("run/run.py", title="Run", url_path="run", visibility="hidden"),
            st.Page("history/call.py", title="Call", url_path="call", visibility="hidden"),
        ],
        "Insight": [
            st.Page(
                "performance/performance.py",
                title="Performance",
                icon=":material/monitoring:",
                url_path="performance",
            ),
        ],
        "Configure": [
            st.Page(
                "providers/providers.py",
                title="Providers",
                icon=":material/dns:",
                url_path="providers",
            ),
            st.Page(
                "settings/settings.py",
                title="Settings",
                icon=":material/tune:",
                url_path="settings",
            ),
        ],
    }
)


@st.fragment(run_every=2)
def _health() -> None:
    st.caption("Practice providers" if services().engine.lineup.practising else "Providers")
    show.health_strip(who.standings())
    drill.watch()


drill.banner()
with st.sidebar:
    _health()

for notice in services().notices:
    st.warning(show.plain(notice), icon=":material/info:")
for sentence in services().engine.control.retired(date.today()):
    st.warning(show.plain(f"{sentence} Switch under Providers."), icon=":material/update:")
if degraded := services().engine.history.degraded:
    st.error(show.plain(degraded), icon=":material/database_off:")
show.practice_bar()
with drawing(page.url_path):
    page.run()
