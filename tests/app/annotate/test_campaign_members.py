"""Only those whom a campaign names may answer it, from the next call on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import access, session
from app.access import Viewer
from slim_core.store import Dataset

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def test_who_is_taken_off_a_campaign_is_refused_in_the_middle_and_loses_no_answer(
    client: TestClient, dataset: Dataset
) -> None:
    campaigns = session.store().campaigns
    campaign = campaigns.create("first", dataset.id, None, session.store().datasets.table(dataset.id).rows("train")[:3])
    campaigns.set_members(campaign.id, ["ann", "ben"], by="lea")

    def answer(name: str, item: int) -> int:
        given = {"id": f"{name}-{item}", "item": item, "value": 1}
        headers = {access.TOKEN_HEADER: access.sign(Viewer(name, "annotator"))}
        return client.post(
            "/api/answers", json={"campaign": campaign.id, "answers": [given]}, headers=headers
        ).status_code

    first, second, third = (item.id for item in campaigns.items(campaign.id))
    assert [answer("ann", first), answer("ben", second), answer("eve", third)] == [200, 200, 403]
    campaigns.set_members(campaign.id, ["ben"], by="lea")
    assert [answer("ann", third), answer("ben", third)] == [403, 200]
    assert campaigns.progress(campaign.id)["answered"] == 3
    assert session.store().answers.current(campaign.id, "ann") != {}
