"""The attention space in a real browser: one selection in two spaces, and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from slim_core.store import AnswerIn, Campaign, Run, Store
from tests.browser.steps import choose, settle, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

SLOW_MS = 60_000
# The object behind the component knows what each panel draws as selected, and its view.
PLOT = "let host = document.querySelector('.slim-space'); while (!host.__slimSpace) host = host.parentElement;"
PANELS = f"() => {{ {PLOT} return host.__slimSpace.panels.map((one) => ANSWER); }}"
MASKS = PANELS.replace("ANSWER", "one.layer.mask ? one.layer.mask.reduce((a, b) => a + b, 0) : 0")
VIEWS = PANELS.replace("ANSWER", "one.view.x.concat(one.view.y)")
NEXT_FRAME = "() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"
# Where a point of the first panel lies on the screen.
PLACE = f"""(id) => {{ {PLOT} const one = host.__slimSpace.panels[0]; const box = one.host.getBoundingClientRect();
  const {{ x, y }} = one.view;
  return [box.left + (one.x[id] - x[0]) / (x[1] - x[0]) * box.width,
          box.bottom - (one.y[id] - y[0]) / (y[1] - y[0]) * box.height]; }}"""


@pytest.fixture
def space(store: Store) -> Run:
    """The space of the training images."""
    return store.runs.all(kind="space")[0]


@pytest.fixture
def campaign(store: Store, space: Run) -> Campaign:
    """An open campaign about the first 30 training images of this space, the newest there is."""
    rows = store.datasets.table(space.dataset_id).rows("train")[:30]
    return store.campaigns.create("Thirty", space.dataset_id, space.id, rows)


@pytest.fixture
def opened(page: Page, address: str, space: Run) -> Callable[..., Page]:
    """opened(colour="label") shows the space, ready for the pointer."""

    def open_space(**query: str) -> Page:
        asked = "&".join(f"{name}={value}" for name, value in {"run": space.id, **query}.items())
        visit(page, address, "space", f"?{asked}")
        expect(page.locator(".slim-space[data-drawn=plotly]")).to_be_visible(timeout=SLOW_MS)
        return page

    return open_space


def status(page: Page) -> Locator:
    return page.locator(".slim-space-status")


def selected(page: Page) -> int:
    """How many images the browser says are selected."""
    found = re.match(r"([\d,]+) of", status(page).inner_text())
    return int(found[1].replace(",", "")) if found else 0


def drag(page: Page, part: tuple[float, float, float, float], *, panel: int = 0, key: str | None = None) -> None:
    """Draw round a part (left, top, right, bottom in 0..1) of a panel, with a key held down."""
    box = page.locator(".slim-space-plot").nth(panel).bounding_box()
    assert box is not None
    before = status(page).inner_text()
    x = [box["x"] + box["width"] * at for at in part[::2]]
    y = [box["y"] + box["height"] * at for at in part[1::2]]
    if key:
        page.keyboard.down(key)
    page.mouse.move(x[0], y[0])
    page.mouse.down()
    round_it = ((x[1], y[0]), (x[1], y[1]), (x[0], y[1]), (x[0], y[0]))
    for corner in ((x[1], y[1]),) if box_tool(page) else round_it:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()
    if key:
        page.keyboard.up(key)
    expect(status(page)).not_to_have_text(before)
    page.evaluate(NEXT_FRAME)


def box_tool(page: Page) -> bool:
    return page.locator(".slim-space").get_attribute("data-tool") == "select"


def counted(page: Page, n: int) -> None:
    """Wait until the page's own table speaks of n selected images, none where n is 0."""
    told = f"{n} selected of 240 images" if n else "All 240 images"
    expect(page.locator(".slim-counts caption")).to_have_text(told, timeout=SLOW_MS)
    settle(page)


LEFT, WHOLE = (0.02, 0.02, 0.5, 0.98), (0.01, 0.01, 0.99, 0.99)


def test_a_lasso_selects_in_both_spaces_shift_adds_alt_takes_away_and_escape_clears(opened) -> None:
    page = opened()
    other = page.locator(".slim-space-plot").nth(1)
    before = other.screenshot()
    drag(page, LEFT)
    left = selected(page)
    assert 0 < left < 240 and page.evaluate(MASKS) == [left, left]
    counted(page, left)
    assert other.screenshot() != before
    expect(page.locator(".slim-pictures img").first).to_be_visible()
    drag(page, (0.5, 0.02, 0.98, 0.98), panel=0, key="Shift")
    assert selected(page) == 240 > left
    page.get_by_role("button", name="Box: drag over points").click()
    drag(page, LEFT, key="Alt")
    assert selected(page) == 240 - left
    page.locator(".slim-space-entry").first.click(modifiers=["Shift"])  # a colour joins like a lasso
    assert selected(page) > 240 - left
    page.keyboard.press("Escape")
    expect(status(page)).to_contain_text("240 images.")
    counted(page, 0)
    assert "selection=" not in page.url


def test_a_selection_survives_other_colours_other_pages_and_a_reload(opened, page: Page) -> None:
    opened()
    drag(page, LEFT)
    n = selected(page)
    counted(page, n)
    choose(page, "Colour by", "attention precision")
    expect(page.locator(".slim-space[data-painted='Attention precision']")).to_be_visible(timeout=SLOW_MS)
    assert page.evaluate(MASKS) == [n, n]
    page.get_by_role("link", name="Data").first.click()
    expect(page.get_by_role("heading", level=1, name="Data")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("link", name="Space").first.click()
    expect(status(page)).to_contain_text(f"{n} of 240", timeout=SLOW_MS)
    counted(page, n)
    page.reload()  # another session: only the address knows
    expect(status(page)).to_contain_text(f"{n} of 240", timeout=SLOW_MS)
    counted(page, n)


def test_a_click_selects_one_image_and_the_pointer_shows_it(opened) -> None:
    page = opened()
    drag(page, WHOLE)
    at = page.evaluate(PLACE, 7)
    page.mouse.move(*at)
    card = page.locator(".slim-space-card")
    expect(card).to_be_visible(timeout=SLOW_MS)
    expect(card.locator("b")).to_contain_text("→")
    expect(card.locator("dt").first).to_have_text("Attention precision")
    page.wait_for_function("() => document.querySelector('.slim-space-card img').naturalWidth > 0", timeout=SLOW_MS)
    page.mouse.click(*at)
    assert selected(page) == 1
    counted(page, 1)
    expect(page.locator(".slim-pictures img")).to_have_count(1)


def test_a_tile_opens_its_image_and_leads_to_those_like_it(opened, page: Page) -> None:
    opened()
    drag(page, LEFT)
    counted(page, selected(page))
    page.get_by_role("button", name=re.compile("Open image")).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_alt_text(re.compile("its heat map")).first).to_be_visible(timeout=SLOW_MS)
    dialog.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("heading", name=re.compile(r"More like image \d+"))).to_be_visible(timeout=SLOW_MS)
    expect(dialog).to_have_count(0)
    settle(page)
    page.get_by_role("button", name="Select these 25").click()
    counted(page, 25)
    assert selected(page) == 25
    page.reload()
    expect(page.get_by_role("heading", name=re.compile(r"More like image \d+"))).to_be_visible(timeout=SLOW_MS)
    counted(page, 25)


def test_selected_images_are_tagged_coloured_by_tag_and_exported(opened, store: Store, space: Run) -> None:
    page = opened()
    drag(page, LEFT)
    n = selected(page)
    counted(page, n)
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("combobox", name="Tag").fill("odd light")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"Tag {n} images").click()
    expect(page.get_by_text(f"{n} images tagged")).to_be_visible(timeout=SLOW_MS)
    assert store.tags.counts(space.dataset_id) == {"odd light": n}
    settle(page)
    choose(page, "Tag", "odd light")
    page.get_by_role("button", name="Remove tag").click()
    expect(page.get_by_text(f"{n} images untagged")).to_be_visible(timeout=SLOW_MS)
    settle(page)
    page.get_by_role("button", name=f"Tag {n} images").click()  # the box shows what it showed before the two presses
    expect(page.get_by_text(f"{n} images tagged")).to_be_visible(timeout=SLOW_MS)
    assert store.tags.counts(space.dataset_id) == {"odd light": n}
    settle(page)
    page.keyboard.press("Escape")  # closes the popover and not the selection
    assert selected(page) == n
    choose(page, "Colour by", "tag")
    expect(page.locator(".slim-space-entry").first).to_have_text(f"odd light {n} of {n}")
    page.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download(timeout=SLOW_MS) as download:
        page.get_by_role("button", name="All columns").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == n + 1
    assert sum("odd light" in line for line in lines) == n


def test_all_selected_images_are_answered_at_once_and_taken_back(opened, store: Store, campaign: Campaign) -> None:
    page = opened(campaign=campaign.id, colour="answer")
    drag(page, WHOLE)
    counted(page, 240)
    page.get_by_role("button", name="Answer all").click()
    page.get_by_role("radio", name="wrong").click()
    page.get_by_role("button", name="Answer 30 images: wrong").click()
    entry = page.locator(".slim-space-entry", has_text="attention wrong")
    expect(entry).to_contain_text("30 of 30", timeout=SLOW_MS)  # coloured anew, and still selected
    assert set(store.answers.current(campaign.id).values()) == {0}
    page.get_by_role("button", name="Undo the last 30 answers").click()
    expect(entry).to_have_count(0, timeout=SLOW_MS)
    assert store.answers.current(campaign.id) == {}
    assert selected(page) == 240


def test_a_new_campaign_is_offered_the_selected_images(opened, store: Store, campaign: Campaign) -> None:
    page = opened(campaign=campaign.id)
    drag(page, LEFT)
    counted(page, selected(page))
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_role("button", name="a new campaign").click()
    expect(page.get_by_role("heading", level=1, name="Annotate")).to_be_visible(timeout=SLOW_MS)
    settle(page)
    chosen = page.get_by_role("combobox", name="Candidates")
    expect(chosen).to_have_value(re.compile("the Space page"), timeout=SLOW_MS)


def test_an_answer_given_elsewhere_colours_the_space_and_keeps_the_selection(opened, store, campaign) -> None:
    page = opened(campaign=campaign.id, colour="answer")
    drag(page, LEFT)
    n = selected(page)
    counted(page, n)
    item = store.campaigns.items(campaign.id)[0]
    store.answers.save(campaign.id, "somebody else", [AnswerIn("elsewhere", item.id, 1)])
    expect(page.locator(".slim-space-entry", has_text="attention right")).to_contain_text("of 1", timeout=SLOW_MS)
    assert page.evaluate(MASKS) == [n, n]


def test_the_view_is_moved_by_keys_or_control_and_the_wheel_and_kept_when_the_colours_change(opened) -> None:
    page = opened()
    home = page.evaluate(VIEWS)
    page.locator(".slim-space-plot").first.hover()
    page.mouse.wheel(0, 120)  # scrolls the page
    page.evaluate(NEXT_FRAME)
    assert page.evaluate(VIEWS) == home
    page.locator(".slim-space-plot").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    moved = page.evaluate(VIEWS)
    assert moved[0] != home[0] and moved[1] == home[1]
    choose(page, "Colour by", "label")
    expect(page.locator(".slim-space[data-painted=Label]")).to_be_visible(timeout=SLOW_MS)
    assert page.evaluate(VIEWS) == moved
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Show all points").press("Enter")
    assert page.evaluate(VIEWS) == home
    page.locator(".slim-space-plot").first.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.wait_for_function(f"home => JSON.stringify(({VIEWS})()) !== JSON.stringify(home)", arg=home, timeout=SLOW_MS)


@pytest.fixture
def modules(page: Page, address: str) -> Page:
    """A page of the dashboard's origin, which imports what it likes: the dashboard itself takes a second more."""
    page.goto(f"{address}/assets/space/geometry.js")
    return page


def test_a_lasso_takes_the_points_inside_it_and_no_others(modules: Page) -> None:
    """The hit test over bands of edges against the plain one over all edges, on a star that crosses itself."""
    differing = modules.evaluate(
        """async () => {
          const { insidePolygon } = await import(new URL('/assets/space/geometry.js', location.href));
          const n = 5000, x = new Float32Array(n), y = new Float32Array(n);
          for (let i = 0; i < n; i++) { x[i] = (i * 0.7548776662) % 1; y[i] = (i * 0.5698402910) % 1; }
          const star = { x: [0.5, 0.8, 0.05, 0.95, 0.2], y: [0.95, 0.05, 0.6, 0.6, 0.05] };
          const inside = (px, py) => { let c = false;
            for (let k = 0, j = 4; k < 5; j = k++) if ((star.y[k] > py) !== (star.y[j] > py)
              && px < (star.x[j] - star.x[k]) * (py - star.y[k]) / (star.y[j] - star.y[k]) + star.x[k]) c = !c;
            return +c; };
          const mask = insidePolygon(x, y, star);
          return [mask.filter((one, i) => one !== inside(x[i], y[i])).length, mask.reduce((a, b) => a + b)]; }"""
    )
    assert differing[0] == 0
    assert differing[1] > 500


def test_density_shows_the_most_frequent_colour_and_what_is_selected(modules: Page) -> None:
    """Three cells: two points of blue and one of red, one of red, none."""
    cells = modules.evaluate(
        """async () => {
          const { binned } = await import(new URL('/assets/space/points.js', location.href));
          const points = { x: Float32Array.of(0.5, 0.5, 0.5, 1.5), y: Float32Array.of(0.5, 0.5, 0.5, 0.5),
            codes: Uint8Array.of(0, 1, 0, 1), palette: Uint8Array.of(0, 0, 255, 255, 255, 0, 0, 255), blend: false };
          const view = { x: [0, 3], y: [0, 1] };
          const all = [...binned({ ...points, mask: null }, view, 3, 1)];
          return [all, [...binned({ ...points, mask: Uint8Array.of(0, 1, 0, 0) }, view, 3, 1)]]; }"""
    )
    whole, chosen = ([tuple(cell[k : k + 3]) for k in (0, 4, 8)] for cell in cells)
    assert whole == [(0, 0, 255), (255, 0, 0), (0, 0, 0)]
    assert chosen == [(255, 0, 0), (154, 160, 166), (0, 0, 0)]
    opacity = [cells[0][k] for k in (3, 7, 11)]
    assert opacity[0] > opacity[1] > opacity[2] == 0


@pytest.mark.parametrize("module", ["plot.js", "geometry.js"])  # the part itself, and one that it needs
def test_a_part_that_cannot_be_loaded_says_so_in_its_place_and_comes_once_it_can(
    other: Page, address: str, space: Run, module: str
) -> None:
    other.route(f"**/assets/space/{module}*", lambda route: route.abort())
    visit(other, address, "space", f"?run={space.id}")
    expect(status(other)).to_contain_text("It is requested again")
    other.unroute(f"**/assets/space/{module}*")
    expect(other.locator(".slim-space[data-painted]")).to_be_visible(timeout=SLOW_MS)


LATE = """
const whole = Response.prototype.arrayBuffer;
Response.prototype.arrayBuffer = async function () {
  const bytes = await whole.call(this);
  await new Promise((resolve) => { (window.held ??= []).push(resolve); });
  return bytes;
};
const context = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (...how) {
  window.contexts = (window.contexts ?? 0) + 1;
  return context.apply(this, how);
};
"""  # whatever is read as bytes is held until the test lets go of it, and what is drawn on is counted
CONTEXTS = "() => window.contexts ?? 0"
LET_GO = (
    "() => { const held = window.held ?? []; window.held = []; for (const one of held) one(); return held.length; }"
)
HELD = "(n) => (window.held ?? []).length === n"


@pytest.mark.parametrize("loading", ["points", "colours"])
def test_what_arrives_after_the_page_was_left_is_not_drawn(page: Page, address: str, loading: str) -> None:
    """``page`` fails for the exception of a canvas that is measured when it stands nowhere any more."""
    page.add_init_script(LATE)
    visit(page, address, "overview")
    page.get_by_role("link", name="Space", exact=True).first.click()
    page.wait_for_function(HELD, arg=2, timeout=SLOW_MS)
    if loading == "colours":
        page.evaluate(LET_GO)
        page.wait_for_function(HELD, arg=1, timeout=SLOW_MS)
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator(".slim-space")).to_have_count(0)
    before = page.evaluate(CONTEXTS)
    assert page.evaluate(LET_GO) > 0, "the bytes came after the page was left"
    page.wait_for_timeout(200)
    page.evaluate(NEXT_FRAME)
    assert page.evaluate(CONTEXTS) == before, "nothing is made that nobody would dispose of"
