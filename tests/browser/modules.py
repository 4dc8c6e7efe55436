"""A page's modules by themselves: an origin that serves them from the checkout, without a dashboard."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlparse

from playwright.sync_api import Page, Route

from app.routes.assets import static

PIXEL = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
Reply = Callable[[Route, str], object]  # to a request, and what follows the first folder of its address


def serve(page: Page, room: str, **replies: Reply) -> None:
    """Open an empty document beside the modules of a room and of app/ui, and pictures of a pixel.

    ``replies``: of the first folder of an address, such as ``api``.
    """

    def reply(route: Route) -> None:
        folder, _, name = urlparse(route.request.url).path.strip("/").partition("/")
        if folder in (room, "ui"):
            route.fulfill(content_type="text/javascript", body=static(f"{folder}/{name}").read_text())
        elif folder in replies:
            replies[folder](route, name)
        elif folder == "picture":
            route.fulfill(content_type="image/svg+xml", body=PIXEL)
        else:
            route.fulfill(content_type="text/html", body="<!doctype html><title>Modules</title><body></body>")

    page.route(f"http://{room}.test/**", reply)
    page.goto(f"http://{room}.test")
