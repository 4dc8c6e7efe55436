"""Points and cards of a space by address."""

from __future__ import annotations

import numpy as np
import pytest

from app import session
from app.services.results import space_data
from app.session import Viewer, sign


@pytest.fixture
def space(filled_home):
    return session.store().runs.all(kind="space")[0]


def token(**limits) -> str:
    return sign(Viewer("eve", "viewer", **limits))


def test_points_come_column_by_column_and_are_kept_by_browsers(client, space) -> None:
    address = f"/api/points/{space.id}/attention_space.bin?token={token()}"
    reply = client.get(address)
    stored = np.load(session.store().artifacts.folder(space.id) / "attention_space.npy")
    assert np.frombuffer(reply.content, "<f4").reshape(2, -1).T == pytest.approx(stored)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert client.get(address, headers={"If-None-Match": reply.headers["ETag"]}).status_code == 304
    rows = client.get(f"/api/points/{space.id}/rows.bin?token={token()}")
    kept = np.load(session.store().artifacts.folder(space.id) / "rows.npy")
    assert np.array_equal(np.frombuffer(rows.content, "<f4"), kept), "integers too"


def test_a_card_tells_what_is_known_of_a_point(client, space) -> None:
    told = client.get(f"/api/points/{space.id}/at/5?token={token()}").json()
    scores = space_data.load(space.id).scores.iloc[5]
    assert (told["row"], told["group"], told["correct"]) == (scores["row"], scores["group"], scores["correct"])
    assert told["title"] == f"{scores['label_name']} → {scores['prediction_name']}"
    assert ["Confidence", f"{scores['confidence']:.2f}"] in told["facts"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("at/99999", 404),
        ("at/5?token=forged", 401),
        *((f"{name}.bin", 404) for name in ("scores", "maps", "environment_features", "..%2Fspec", "nothing")),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(client, space, path: str, status: int) -> None:
    reply = client.get(f"/api/points/{space.id}/{path}" + ("" if "?" in path else f"?token={token()}"))
    assert reply.status_code == status
    assert reply.json()["error"].endswith(".")


@pytest.mark.parametrize("name", ["at/5", "attention_space.bin"])
def test_a_token_of_another_data_set_opens_no_space(client, space, name: str) -> None:
    assert client.get(f"/api/points/{space.id}/{name}?token={token(datasets=('d-other',))}").status_code == 404


def test_a_run_that_is_no_space_has_no_points(client, space) -> None:
    reply = client.get(f"/api/points/{space.spec['attention']}/at/5?token={token()}")
    assert reply.status_code == 404 and reply.json()["error"].endswith("no points.")
