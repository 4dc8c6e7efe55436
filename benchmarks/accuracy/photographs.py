"""Photographed mammals and birds, cut out, and woods and shores: the source of the set of study photographs.

    apt-get install tuxpaint-stamps-default mate-backgrounds budgie-backgrounds \\
        plasma-workspace-wallpapers lomiri-wallpapers-16.04
    python -m benchmarks.accuracy.photographs var/photographs

Copies them from where Debian installs them (--root, where the packages were unpacked elsewhere) into the folders that
``slim demo --set cutouts --source`` reads. They were chosen by what they show before any network saw them: of the
stamps all mammals and birds that are photographs; of the wallpapers six woods or meadows, and six shores, without an
animal or a person. Licences: GPL-2 (tuxpaint-stamps-default, plasma-workspace-wallpapers), GPL-2+ and CC BY-SA 4.0
(mate-backgrounds), CC0 (budgie-backgrounds), CC BY-SA (lomiri-wallpapers).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

STAMPS = "usr/share/tuxpaint/stamps/animals"
OBJECTS = {
    "bird": ("birds/*.png",),
    "mammal": ("mammals/*.png", "mammals/*/*.png", "marsupials/*.png"),
}
NO_PHOTOGRAPHS = ("echidna", "hedgehog", "kangaroo-silo", "kitten", "quoll-silo")  # drawn, or outlines
BACKGROUNDS, WALLPAPERS = "usr/share/backgrounds", "usr/share/wallpapers"
SCENES = {
    "shore": (
        f"{BACKGROUNDS}/budgie/lake-sherburne.jpg",
        f"{BACKGROUNDS}/Bridge_by_Sander_Klootwijk.jpg",
        *(f"{WALLPAPERS}/{name}/contents/images/2560x1600.jpg" for name in ("BytheWater", "ColdRipple")),
        *(f"{WALLPAPERS}/{name}/contents/images/2560x1600.jpg" for name in ("EveningGlow", "summer_1am")),
    ),
    "wood": (
        f"{BACKGROUNDS}/budgie/tea-gardens.jpg",
        f"{BACKGROUNDS}/aitzgorri_by_Aitzol_Berasategi.jpg",
        *(f"{BACKGROUNDS}/mate/nature/{name}.jpg" for name in ("GreenMeadow", "RainDrops")),
        *(f"{WALLPAPERS}/{name}/contents/images/2560x1600.jpg" for name in ("OneStandsOut", "Path")),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where the packages' files lie")
    given = parser.parse_args()
    wanted, missing = {}, []
    for name, patterns in OBJECTS.items():
        found = sorted(file for pattern in patterns for file in (given.root / STAMPS).glob(pattern))
        kept = [file for file in found if file.stem not in NO_PHOTOGRAPHS]
        wanted |= {given.folder / "objects" / name / file.name: file for file in kept}
        missing += [] if kept else [str(given.root / STAMPS / pattern) for pattern in patterns]
    for name, files in SCENES.items():
        for file in files:
            called = file.split("/contents/")[0].split("/")[-1].removesuffix(".jpg")
            wanted[given.folder / "scenes" / name / f"{called}.jpg"] = given.root / file
    if missing := [*missing, *(str(file) for file in wanted.values() if not file.is_file())]:
        parser.error(f"{', '.join(missing)} missing: install the packages first, see --help.")
    for there, file in wanted.items():
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, there)
    print(f"{len(wanted)} files in {given.folder}")


if __name__ == "__main__":
    main()
