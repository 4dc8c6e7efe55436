"""Query strings of the routes that draw images and send points, each with a ticket that is good."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import strategies as st

from benchmarks.hostile.case import Case, Expected
from benchmarks.hostile.clients import Request, http_request
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Studio

DRAWN = 120
HOSTILE = (
    "",
    "-1",
    "nan",
    "inf",
    "1e309",
    "x",
    "../x",
    "%00",
    "' OR 1=1 --",
    "[]",
    "1" * 400,
    "%ff",
    "\u0664\u0662",
    "0x20",
    "1_0",
)
PARAMETERS = ("size", "kind", "opacity", "run", "map_of")


def cases(studio: Studio, seed: int) -> list[Case]:
    """Wrong values, rows that are not there, runs of others."""
    at = studio.results
    image = f"/api/image/{at.dataset}/0"
    base = {"kind": "overlay", "run": at.attention, "map_of": "label", "opacity": "0.5", "size": "64"}
    made = [
        _case(
            image, base | {name: value}, "either" if name == "size" and value in ("\u0664\u0662", "1_0") else "refused"
        )
        for name in PARAMETERS
        for value in HOSTILE
        if not (name == "opacity" and value in ("\u0664\u0662", "1_0"))
    ]
    made += [
        _case(f"/api/image/{at.dataset}/{row}", {})
        for row in ("-1", "999999", "1" * 30, "1.5", "nan", "0x1", "%31%00", "..")
    ]
    made += [
        _case(f"/api/image/{dataset}/0", {})
        for dataset in ("d-nothing", "..", "%2e%2e", "d'--", "x" * 3_000, at.model, "%ff")
    ]
    made += [_case(image, base | {"run": run}) for run in (at.model, at.space, at.subset, at.campaign, "r-nothing000")]
    made.append(_case(f"/api/image/{at.other_dataset}/0", base))
    made += [_case(image, {"size": size}) for size in ("15", "1025", "10000000000", "-64")]
    made += _points(at.space, at.model)
    made += [_case(image, base | {name: value}, "either", is_drawn=True) for name, value in _drawn(seed)]
    return made


def _points(space: str, model: str) -> list[Case]:
    names = ("nothing", "..%2fmodel", "../../slim", "manifest", "model.safetensors", "%00", "x" * 2_000)
    made = [_case(f"/api/points/{space}/{name}.bin", {}) for name in names]
    made += [_case(f"/api/points/{run}/points.bin", {}) for run in (model, "r-nothing", "..", "%2e%2e%2fhome", "'--")]
    made += [
        _case(f"/api/points/{space}/at/{position}", {}) for position in ("999999", "-1", "1" * 40, "x", "1.5", "%00")
    ]
    return [*made, _case(f"/api/points/{model}/at/0", {})]


def _drawn(seed: int) -> list[tuple[str, str]]:
    value = st.one_of(st.text(max_size=16), st.integers().map(str), st.floats().map(str))
    return drawn(st.tuples(st.sampled_from(PARAMETERS), value), DRAWN, of_seed=seed)


def _case(path: str, query: dict[str, str], expected: Expected = "refused", *, is_drawn: bool = False) -> Case:
    words = "&".join(f"{name}={_quoted(value)}" for name, value in query.items())
    name = f"{path[:60]}?{words[:120]}"
    return Case(
        name,
        lambda studio: http_request(studio, Request(f"{path}?{words}&token={studio.token()}")),
        expected,
        drawn=is_drawn,
    )


def _quoted(value: str) -> str:
    """As a browser sends it; what is percent-encoded already stays as it is."""
    return (
        value if value.startswith("%") and len(value) == 3 else quote(value.encode("utf-8", "surrogatepass"), safe="")
    )
