"""Known advisories: found ones are refused by name, and an index that is away is no failure."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import advisories  # of .ci, by the pythonpath of pyproject.toml
import pytest

ROOT = Path(__file__).parents[2]

FIXABLE = {"id": "GHSA-1", "aliases": ["CVE-1"], "fixed_in": ["1.10.0", "1.9.1", "0.4"], "withdrawn": None}
HOPELESS = {"id": "GHSA-2", "aliases": [], "fixed_in": []}
WITHDRAWN = {"id": "GHSA-3", "aliases": [], "fixed_in": [], "withdrawn": "2026-01-01T00:00:00Z"}


class Server(ThreadingHTTPServer):
    """With room for all who ask at once: a connection that found none would be tried again a second later."""

    request_queue_size = 64


class Index:
    """A package index whose answers a test writes: path -> the vulnerabilities, or the bytes of the reply."""

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {}
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                reply = index.replies.get(self.path)
                content = reply if isinstance(reply, bytes) else json.dumps({"vulnerabilities": reply}).encode()
                self.send_response(404 if reply is None else 200)
                self.end_headers()
                self.wfile.write(b"" if reply is None else content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_an_advisory_is_refused_with_the_version_that_mends_it(index: Index) -> None:
    index.replies = {"/alpha/1.9/json": [FIXABLE, WITHDRAWN], "/beta/2.0/json": [HOPELESS], "/gamma/3.0/json": []}
    refused, unchecked = advisories.check(index.url, {"alpha": "1.9", "beta": "2.0", "gamma": "3.0"}, {})
    assert unchecked == []
    assert refused == [
        "alpha 1.9 has the advisory GHSA-1 (CVE-1): install 1.9.1 or newer, or accept it with a reason in "
        ".ci/advisories.toml.",
        "beta 2.0 has the advisory GHSA-2: no version mends it yet: replace it, or accept it with a reason in "
        ".ci/advisories.toml.",
    ]


@pytest.mark.parametrize("id", ["GHSA-1", "CVE-1"])
def test_an_accepted_advisory_passes_under_any_of_its_ids_and_one_that_is_gone_is_to_be_removed(
    index: Index, id: str
) -> None:
    index.replies = {"/alpha/1.9/json": [FIXABLE]}
    assert advisories.check(index.url, {"alpha": "1.9"}, {id: "not reached"}) == ([], [])
    index.replies = {"/alpha/1.9/json": []}
    refused, _ = advisories.check(index.url, {"alpha": "1.9"}, {id: "not reached"})
    assert refused == [f"{id} is not listed any more: remove it from .ci/advisories.toml."]


def test_without_an_index_one_sentence_says_that_nothing_was_checked(index: Index) -> None:
    index.server.server_close()
    refused, unchecked = advisories.check(index.url, {"alpha": "1.9", "beta": "2.0"}, {"GHSA-1": "not reached"})
    assert refused == []
    (sentence,) = unchecked
    assert sentence.startswith("Advisories were not checked: the package index does not answer (")


def test_versions_that_the_index_does_not_list_are_named(index: Index) -> None:
    index.replies = {"/alpha/1.9/json": [FIXABLE], "/beta/2.0/json": b"<html>Sign in to this network</html>"}
    refused, unchecked = advisories.check(index.url, {"alpha": "1.9", "beta": "2.0", "gamma": "3.0"}, {"GHSA-9": "old"})
    assert [one.partition(":")[0] for one in refused] == ["alpha 1.9 has the advisory GHSA-1 (CVE-1)"]
    assert unchecked == ["Advisories were not checked for beta, gamma: the package index did not say."]
    none = advisories.check(index.url, {"gamma": "3.0"}, {})
    assert none == ([], ["Advisories were not checked: the package index lists none by version."])


def test_the_command_ends_with_1_where_something_is_refused_and_asks_for_what_was_tested(
    index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = advisories.tested()
    assert {"streamlit", "torch", "sqlalchemy"} <= {*versions}
    index.replies = {f"/{name}/{of}/json": [] for name, of in versions.items()}
    assert advisories.main([f"{index.url}/"]) == 0
    assert capsys.readouterr() == ("", "")
    index.replies[f"/streamlit/{versions['streamlit']}/json"] = [HOPELESS]
    assert advisories.main([index.url]) == 1
    assert f"streamlit {versions['streamlit']} has the advisory GHSA-2" in capsys.readouterr().err


def test_an_advisory_is_not_accepted_without_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "advisories.toml"
    file.write_text('[accepted]\n"GHSA-1" = " "\n')
    with pytest.raises(SystemExit, match="accepts GHSA-1 without a reason"):
        advisories.accepted(file)
    file.write_text('[accepted]\n"GHSA-1" = "no template comes from a user"\n')
    assert advisories.accepted(file) == {"GHSA-1": "no template comes from a user"}


def test_make_check_looks_them_up() -> None:
    assert "$(BIN)/python .ci/advisories.py" in (ROOT / "Makefile").read_text()
