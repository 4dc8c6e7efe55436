"""Wiring: the script Streamlit runs for each viewer, and the server it runs in (`streamlit run app/main.py`).

Streamlit imports this file once as a module, to find ``app``, then executes it as ``__main__`` for every run of a page.
"""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:  # Streamlit puts only the folder of this file there
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402

if __name__ == "__main__":
    from app import navigation

    navigation.run()
else:
    from app import server

    server.require_startable()
    app = st.App(__file__, routes=server.served(), middleware=server.MIDDLEWARE, lifespan=server.lifespan)
