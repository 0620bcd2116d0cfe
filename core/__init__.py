"""The domain; it knows neither SQL nor, outside `core.ui`, Streamlit.

Each room imports only those before it: values, routing, planning, config, practice, providers,
running, insight, web, ui.
"""
