"""axe finds nothing serious in the main part of any page, in both themes; images and charts say what they show."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import ImageColor
from playwright.sync_api import Page, expect

from slim_core.evaluation.charts.layout import INK, RUNS
from slim_core.store import Store
from tests.browser.annotator import ask_about, open_campaign
from tests.browser.steps import calm, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
GRAVE = ("serious", "critical")
MAIN = "[data-testid='stMain']"  # the frame around it (menu, sidebar, header) is Streamlit's
PAGES = ("overview", "data", "draw", "train", "attention", "space", "curate", "compare", "jobs")
OURS = ("draw", "attention", "space", "curate")  # what the dark theme may change: our components and charts
UNTOLD = """main => [
  ...[...main.querySelectorAll("img")].filter(one => !one.alt && one.checkVisibility()).map(one => one.src),
  ...[...main.querySelectorAll("[data-testid=stPlotlyChart]")]
    .filter(one => !one.closest("[aria-label]") && !one.querySelector("[aria-label]")).map(one => one.innerText)]"""


def faults(page: Page, within: str = MAIN) -> list[str]:
    """What axe holds to be serious or critical."""
    found = Axe().run(page, context={"include": [[within]]}, options={"resultTypes": ["violations"]}).response
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


def test_no_page_has_a_serious_fault_and_all_pictures_are_told(page: Page, address: str, store: Store) -> None:
    found = {}
    for name in PAGES:
        visit(page, address, name)
        found[name] = faults(page) + page.locator(MAIN).evaluate(UNTOLD)
    open_campaign(page, address, ask_about(store, name="Accessible"))
    found["annotate"] = faults(page)
    assert not {name: told for name, told in found.items() if told}


# what has the focus, also inside a component: [its name, whether that can be seen: a ring, a shadow, a frame in colour]
FOCUSED = """() => {
  let one = document.activeElement;
  while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  const style = getComputedStyle(one);
  let framed = (style.outlineStyle !== "none" && style.outlineWidth !== "0px") || style.boxShadow !== "none";
  for (let part = one.parentElement, k = 0; part && k < 4 && !framed; part = part.parentElement, k++)
    framed = getComputedStyle(part).borderColor === "rgb(0, 114, 178)";
  const name = one.getAttribute("aria-label") || one.textContent.trim();
  return ["BODY", "MAIN"].includes(one.tagName) ? null : [name.slice(0, 30), framed];
}"""


@pytest.mark.parametrize(
    ("name", "reached"),
    [
        ("draw", ["Data set", "Drawing surface", "Rectangle", "Polygon", "Previous image", "Next image", "Open"]),
        ("space", ["Data set", "Lasso", "Box", "Pan", "Attention space", "Environment space", "Filter", "Tag"]),
        ("annotate", ["Campaign", "Answer", "Right", "Wrong", "Empty", "Unsure", "Skip", "View", "Grid", "Keys"]),
    ],
)
def test_tab_reaches_every_control_in_order_and_the_focus_is_seen(
    page: Page, address: str, store: Store, name: str, reached: list[str]
) -> None:
    if name == "annotate":
        open_campaign(page, address, ask_about(store, name="By Tab"))
    else:
        visit(page, address, name)
        page.wait_for_selector("[data-painted], .slim-draw[data-row]", timeout=30_000)
    calm(page)
    page.locator(MAIN).focus()
    found = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if (one := page.evaluate(FOCUSED)) is None:
            break
        found.append(one)
    assert not [label for label, is_seen in found if not is_seen]
    places = [next((k for k, (label, _) in enumerate(found) if wanted in label), -1) for wanted in reached]
    assert -1 not in places and places == sorted(places), list(zip(reached, places, strict=True))


def test_tab_goes_from_a_popovers_button_into_it_and_on_from_there(page: Page, address: str) -> None:
    visit(page, address, "data")
    main, popover = page.locator(MAIN), page.get_by_test_id("stPopoverBody")
    button = main.get_by_role("button", name="Name, note, tags")
    calm(page)
    button.focus()
    page.keyboard.press("Enter")
    expect(popover.get_by_role("textbox", name="Name")).to_be_visible()
    calm(page)
    page.keyboard.press("Tab")
    expect(popover.get_by_role("textbox", name="Name")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(button).to_be_focused()
    popover.get_by_role("button", name="Save").focus()
    page.keyboard.press("Tab")
    expect(main.get_by_role("button", name="Remove")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Escape")
    expect(popover).to_be_hidden()
    expect(button).to_be_focused()


def test_the_dark_theme_is_readable_too(page: Page, address: str) -> None:
    page.emulate_media(color_scheme="dark")
    found = {}
    for name in OURS:
        visit(page, address, name)
        background = page.get_by_test_id("stApp").evaluate("one => getComputedStyle(one).backgroundColor")
        assert background == "rgb(20, 25, 31)"
        found[name] = faults(page)
    assert not {name: told for name, told in found.items() if told}


# of all charts: how much names beside axes and marks differ from the page, and intervals from their bar, whichever run
# it is of, or from their own edge
SEEN = """(main, runs) => {
  const luminance = (colour) => colour.map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, k) => sum + part * [0.2126, 0.7152, 0.0722][k], 0);
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const parts = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const over = (colour, share, behind) => colour.map((part, k) => part * share + behind[k] * (1 - share));
  const page = parts(getComputedStyle(document.querySelector("[data-testid=stApp], body")).backgroundColor);
  const named = ":is(.xtick, .ytick, .g-xtitle, .g-ytitle, .annotation, .textpoint) text";
  const names = [...main.querySelectorAll(named)].map((one) => {
    const style = getComputedStyle(one);
    return contrast(over(parts(style.fill), style.fillOpacity * style.opacity, page), page);
  });
  const intervals = [...main.querySelectorAll(".barlayer .errorbar path")].map((one) => {
    const { stroke, filter } = getComputedStyle(one);
    const { opacity } = getComputedStyle(one.closest(".trace").querySelector(".point path"));
    const edge = filter === "none" ? 0 : contrast(parts(stroke), parts(filter));
    return Math.min(...runs.map((run) => Math.max(edge, contrast(parts(stroke), over(run, opacity, page)))));
  });
  return [Math.min(...names), Math.min(...intervals)];
}"""


@pytest.mark.parametrize("name", ["compare", "train"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_names_on_a_chart_can_be_read_and_intervals_are_seen_on_their_bars(
    page: Page, address: str, store: Store, scheme: Literal["light", "dark"], name: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    [dataset] = {run.dataset_id for run in store.runs.all(kind="evaluate", status="done")}
    visit(page, address, name, f"?dataset={dataset}")
    page.locator(".barlayer .errorbar").first.wait_for(state="attached")
    if name == "train":
        page.locator(".annotation", has_text="kept").first.wait_for()
    names, intervals = page.locator(MAIN).evaluate(SEEN, [ImageColor.getrgb(run) for run in (*RUNS, INK)])
    assert names >= 4.5 and intervals >= 3


def test_forced_colours_show_what_is_chosen_and_what_is_switched_on(page: Page, address: str) -> None:
    """As of Windows: backgrounds of buttons, tabs and switches are all one colour there."""
    visit(page, address, "attention")

    def colours(chosen: str) -> list[str]:
        """Of the background of one that is chosen, and of one that is not."""
        parts = (page.locator(MAIN).locator(chosen.format(answer)).first for answer in ("true", "false"))
        return [one.evaluate("one => getComputedStyle(one).backgroundColor") for one in parts]

    for scheme in SCHEMES:
        page.emulate_media(forced_colors="active", color_scheme=scheme)
        for chosen in ("[role='tab'][aria-selected='{}']", "button[aria-checked='{}']", "button[aria-pressed='{}']"):
            on, off = colours(chosen)
            assert on != off, (scheme, chosen)
    visit(page, address, "data")
    track = page.locator(f"{MAIN} span:has(> [role='switch']) + div").first
    for scheme in SCHEMES:
        page.emulate_media(forced_colors="active", color_scheme=scheme)
        assert track.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"


def test_an_image_opened_large_is_reached_by_keys_and_has_no_serious_fault(page: Page, address: str) -> None:
    visit(page, address, "attention")
    page.get_by_role("button", name="Open image").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("img", name="its heat map").wait_for()
    names = dialog.locator("img").evaluate_all("images => images.map(image => image.alt)")
    assert len(names) == 5 and all(names)
    assert not faults(page, "[role='dialog']")
