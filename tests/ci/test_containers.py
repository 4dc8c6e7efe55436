"""What the containers of compose.yaml may do, and of which images they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
RELEASE = re.compile(r"\w+:\d+(\.\d+)*(-slim)?-(bookworm|trixie)(@sha256:[0-9a-f]{64})?")


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_container_has_no_capability_is_not_root_and_writes_to_its_volumes_alone(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True and "cap_add" not in service and "privileged" not in service
    assert "build" in service or service["user"] != "root"
    assert service["restart"] == "unless-stopped"
    mounted = [volume.split(":")[0] for volume in service["volumes"]]
    assert {one for one in mounted if not one.startswith("$")} <= COMPOSE["volumes"].keys()


def test_the_image_is_not_of_root_and_its_home_is_a_volume() -> None:
    assert re.search(r"^USER 1000$", DOCKERFILE, re.MULTILINE) and "--create-home --uid 1000 slim" in DOCKERFILE
    for name in ("app", "worker"):
        assert {"slim:/var/slim", "home:/home/slim"} <= set(COMPOSE["services"][name]["volumes"])


def test_images_are_named_by_release() -> None:
    images = [one["image"] for one in COMPOSE["services"].values() if "build" not in one]
    for image in [*images, *re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)]:
        assert RELEASE.fullmatch(image), image
