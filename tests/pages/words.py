"""What stands on a page."""

from streamlit.testing.v1 import AppTest


def text(test: AppTest) -> str:
    parts = [*test.markdown, *test.caption, *test.info, *test.error, *test.warning, *test.code]
    return "\n".join(part.value for part in parts).replace("\\", "")
