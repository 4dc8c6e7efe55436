"""In a wheel app and workers lie below slim_core: their names belong to everybody (docs/decisions/0021)."""

import sys

from setuptools import find_packages, setup

STUDIO = "slim_core._studio"  # a folder, which slim_core.runs.executor puts on the path
BELOW = ("app", "workers")
found = find_packages(include=["slim_core*", *(f"{name}*" for name in BELOW)])
if "editable_wheel" in sys.argv:  # the checkout stays as it is
    setup(packages=found)
else:
    setup(
        packages=[name if name.partition(".")[0] not in BELOW else f"{STUDIO}.{name}" for name in found],
        package_dir={f"{STUDIO}.{name}": name for name in BELOW},
    )
