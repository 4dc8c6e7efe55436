"""The pages by name, as Streamlit's own links and jumps take them."""

from __future__ import annotations


def file_of(page: str) -> str:
    """The script of a page, relative to app/main.py: what st.switch_page and st.page_link take."""
    return f"{page}/page.py"
