"""The pages in a real browser: nothing leaves the page, and it works by phone and by keyboard.

Runs headless Chromium, driven over a pipe; skipped where there is none.
"""

import base64
import fcntl
import itertools
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from basket.report.pages.decisions import write_decisions
from basket.report.pages.explorer import write_explorer
from basket.report.pages.index import write_index
from basket.report.pages.notebook import render
from basket.report.pages.page import settings_of_run
from notebook_maker import usual_cells, write_notebook
from test_pages_explorer import write_tables

pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
DESKTOP = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
PATIENCE = 60  # seconds

OVERFLOWING = """[...document.querySelectorAll('main *')].filter(element =>
    element.getBoundingClientRect().right > innerWidth + 1
    && !element.closest('.scroll, pre, summary')).map(element => element.outerHTML.slice(0, 80))"""
BROKEN_CONTENTS = """[...document.querySelectorAll('a[href^="#"]')].filter(link =>
    !document.getElementById(decodeURIComponent(link.hash.slice(1)))).map(link => link.hash)"""
CONTRAST = """(() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => colour.slice(0, 3).map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = numbers(getComputedStyle(element).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), low = [];
    let seen = 0;
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement, style = getComputedStyle(element);
        if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
        seen += 1;
        const ink = light(numbers(element instanceof SVGElement ? style.fill : style.color));
        const paper = light(behind(element));
        const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        if (ratio < 4.5) low.push([texts.currentNode.data.slice(0, 40), ratio]);
    }
    return [seen, low.slice(0, 5)];
})()"""
FIGURES = """[...document.querySelectorAll('figure img')].filter(image => image.checkVisibility())
    .map(image => [image.offsetWidth, image.parentElement.offsetWidth,
        image.parentElement.scrollWidth])"""
TEXT_HEIGHTS = """[...document.querySelectorAll('svg text')].filter(text => text.checkVisibility())
    .map(text => parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.clientWidth
        / text.ownerSVGElement.viewBox.baseVal.width)"""
SHOWN = """[...document.querySelectorAll('.chart')].filter(chart => chart.checkVisibility())
    .map(chart => [chart.querySelector('figcaption').textContent, chart.offsetHeight])"""
IMAGES = "[...document.images].map(image => [image.alt, image.naturalWidth])"
FOCUS_CODE = (
    "document.querySelector('.code:not([open]) summary')?.focus(), document.activeElement.localName"
)
TARGET = "[document.querySelector(':target').getBoundingClientRect().top, innerHeight]"
FOCUSED = "document.activeElement.outerHTML.slice(0, 80)"


class Browser:
    """A headless Chromium of our own, driven over a pipe."""

    def __init__(self, profile: Path):
        """Start it with an empty profile."""
        its_end, self._send = _pipe()
        self._receive, its_other_end = _pipe()

        def take_pipes() -> None:
            os.dup2(its_end, 3)
            os.dup2(its_other_end, 4)

        self._process = subprocess.Popen(
            [BROWSER, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            close_fds=False,
            preexec_fn=take_pipes,  # noqa: PLW1509
            start_new_session=True,
            **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL),
        )
        os.close(its_end)
        os.close(its_other_end)
        self._numbers = itertools.count(1)
        self._rest = b""
        self.events: list[dict] = []
        self.tab: str | None = None

    def call(self, method: str, session: str | None = None, **parameters) -> dict:
        """Send a command and return its result; what the browser reports meanwhile is kept."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        os.write(self._send, json.dumps(command).encode() + b"\0")
        while (message := self._next_message()).get("id") != number:
            self.events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    def wait_for(self, method: str) -> None:
        """Wait until the browser has reported an event."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._next_message())

    def _next_message(self) -> dict:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._receive], [], [], max(0, until - time.monotonic()))
            piece = os.read(self._receive, 1 << 20) if ready else b""
            if not piece:
                raise TimeoutError("the browser does not answer")
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def close(self) -> None:
        """End it, and whatever it started."""
        try:
            self.call("Browser.close")
            self._process.wait(10)
        except (OSError, RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        os.close(self._send)
        os.close(self._receive)


class Tab:
    """A page, opened in a fresh tab in place of the one before."""

    def __init__(self, browser: Browser, page: Path, screen: dict):
        """Open the page on a screen of that size and wait until it is loaded."""
        self._browser = browser
        if browser.tab:
            browser.call("Target.closeTarget", targetId=browser.tab)
        browser.tab = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=browser.tab, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        browser.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        browser.wait_for("Page.loadEventFired")
        self.evaluate("document.fonts.ready.then(() => 1)")

    def call(self, method: str, **parameters) -> dict:
        """Send a command to this tab."""
        return self._browser.call(method, self._session, **parameters)

    def evaluate(self, expression: str):
        """Return the value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            options = {"key": key, "windowsVirtualKeyCode": code}
            if text and kind == "keyDown":
                options["text"] = text
            self.call("Input.dispatchKeyEvent", type=kind, **options)

    def _reported(self, *methods: str) -> list[dict]:
        return [
            event["params"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] in methods
        ]

    def requests(self) -> list[str]:
        """List what the page asked for, other than itself and what it holds."""
        asked = [event["request"]["url"] for event in self._reported("Network.requestWillBeSent")]
        assert asked[0].startswith("file:"), "the page's own request was not seen"
        return [url for url in asked[1:] if not url.startswith("data:")]

    def complaints(self) -> list[str]:
        """List what the page logged: errors, warnings, refusals of its policy."""
        kinds = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [json.dumps(event) for event in self._reported(*kinds)]


def _pipe() -> tuple[int, int]:
    """Open a pipe whose ends are out of the way of the numbers 3 and 4."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all tests."""
    if BROWSER is None:
        pytest.skip(f"NO BROWSER: the pages were not looked at; install one of {', '.join(NAMES)}")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module", params=["made here", "of a report"])
def folder(request, browser, tmp_path_factory) -> Path:
    """Give a folder of pages: a few made for this test, and those of a whole small report."""
    if request.param == "of a report":
        return request.getfixturevalue("checkout") / "04_analysis" / "notebooks"
    folders = write_tables(tmp_path_factory.mktemp("run"), synthetic="data")
    write_notebook(folders.out, usual_cells())
    for notebook in folders.notebooks.glob("*.ipynb"):
        render(notebook)
    for write in (write_explorer, write_decisions, write_index):
        page = write(folders, settings_of_run())
    return page.parent


def tabs(browser: Browser, folder: Path, screen: dict) -> Iterator[tuple[Path, Tab]]:
    """Open the pages of a folder, all kinds of them, one after another."""
    found = sorted(folder.glob("*.html"))
    assert {"index", "explorer", "decisions", "03_merge"} <= {page.stem for page in found}
    for page in found:
        yield page, Tab(browser, page, screen)


def looked_at(tab: Tab, look: str) -> Tab:
    """Make a tab look so: on a dark screen, on paper, or as it is; all of it unfolded."""
    dark = {"name": "prefers-color-scheme", "value": "dark" if "dark" in look else "light"}
    media = "print" if "paper" in look else "screen"
    tab.call("Emulation.setEmulatedMedia", media=media, features=[dark])
    tab.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    return tab


def test_every_text_has_contrast(browser, folder):
    """At least 4.5 to 1 between the colour of each visible text and what is behind it."""
    for page, tab in tabs(browser, folder, DESKTOP):
        for look in ("light", "dark", "paper", "paper of a dark screen"):
            seen, low = looked_at(tab, look).evaluate(CONTRAST)
            assert seen > 10, (page.name, look)
            assert low == [], (page.name, look)
            bright = tab.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (bright == "rgb(255, 255, 255)") == (look != "dark"), (page.name, look)


def test_low_contrast_would_be_seen(browser, folder):
    for page, tab in tabs(browser, folder, DESKTOP):
        tab.evaluate("document.querySelector('main').style.color = '#777778'")
        looked_at(tab, "dark")
        assert tab.evaluate(CONTRAST)[1], page.name


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_request_leaves_a_page_and_none_complains(browser, folder, screen):
    """The images show and the styles apply, so the policy lets through what belongs to the page."""
    for page, tab in tabs(browser, folder, screen):
        for look in ("light", "dark", "paper"):
            looked_at(tab, look)
            assert tab.requests() == [], (page.name, look)
            assert tab.complaints() == [], (page.name, look)
            assert tab.evaluate("getComputedStyle(document.body).margin") == "0px", "no style"
            for alt, width in tab.evaluate(IMAGES):
                assert alt.strip(), page.name
                assert width > 0, f"{page.name}: {alt}"


def test_a_request_and_a_complaint_would_be_seen(browser, folder, tmp_path):
    """The same look at a page that has been tampered with."""
    whole = next(folder.glob("*.html")).read_text(encoding="utf-8")
    page = tmp_path / "tampered.html"
    added = '<img src="http://example.invalid/a.png" alt="x"><script>1</script></main>'
    page.write_text(whole.replace("</main>", added), encoding="utf-8")
    complaints = " ".join(Tab(browser, page, DESKTOP).complaints())
    assert "script-src" in complaints
    assert "img-src" in complaints
    no_policy = whole.replace("Content-Security-Policy", "none").replace("</main>", added)
    page.write_text(no_policy, encoding="utf-8")
    assert Tab(browser, page, DESKTOP).requests() == ["http://example.invalid/a.png"]


def test_contents_links_lead_to_their_sections(browser, folder):
    """Each visible link of the contents list, followed."""
    for page, tab in tabs(browser, folder, DESKTOP):
        assert tab.evaluate(BROKEN_CONTENTS) == [], page.name
        for number in range(tab.evaluate("document.querySelectorAll('.wide a').length")):
            tab.evaluate(f"document.querySelectorAll('.wide a')[{number}].click()")
            top, height = tab.evaluate(TARGET)
            assert -1 <= top < height, f"{page.name}: link {number}"


def test_a_page_fits_a_phone(browser, folder):
    """At 390 pixels only boxes of their own scroll sideways, and the contents list is folded."""
    for page, tab in tabs(browser, folder, PHONE):
        assert tab.evaluate("innerWidth") == PHONE["width"], page.name
        assert tab.evaluate(OVERFLOWING) == [], page.name
        assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"], page.name
        assert tab.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 16
        assert not tab.evaluate("document.querySelector('.wide')?.checkVisibility() ?? false")
        tab.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
        assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"], page.name


def test_a_figure_can_be_read_on_a_phone(browser, folder):
    """It is wide enough and scrolls in its own box; the page stays as wide as the screen."""
    seen = 0
    for page, tab in tabs(browser, folder, PHONE):
        for width, box, room in tab.evaluate(FIGURES):
            assert width >= 640, page.name
            assert box <= PHONE["width"] < room, page.name
            seen += 1
        assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"], page.name
    assert seen >= 2
    tab = Tab(browser, folder / "explorer.html", PHONE)
    texts = tab.evaluate(TEXT_HEIGHTS)
    assert len(texts) > 10
    assert min(texts) >= 9  # pixels of the screen's own measure


def test_the_explorer_shows_what_is_chosen(browser, folder):
    """One chart in each part: by a click, and by the arrow keys, whose place can be seen."""
    tab = Tab(browser, folder / "explorer.html", DESKTOP)
    first = tab.evaluate(SHOWN)
    assert len(first) == tab.evaluate("document.querySelectorAll('main section').length") > 1
    assert all(height > 50 for _, height in first)
    for number in range(tab.evaluate("document.querySelectorAll('input[type=radio]').length")):
        tab.evaluate(f"document.querySelectorAll('input[type=radio]')[{number}].click()")
        shown = tab.evaluate(SHOWN)
        assert len(shown) == len(first), number
    assert shown != first
    tab.evaluate("document.querySelector('#groups-b0').focus()")
    before = tab.evaluate(SHOWN)
    tab.press("ArrowRight", 39)
    assert tab.evaluate("document.activeElement.id") == "groups-b1"
    assert tab.evaluate("document.activeElement.checked")
    assert tab.evaluate(SHOWN)[0] != before[0]
    ring = "getComputedStyle(document.activeElement.parentElement).outlineStyle"
    assert tab.evaluate(ring) == "solid"
    looked_at(tab, "paper")
    on_paper = tab.evaluate(SHOWN)
    assert [title for title, _ in on_paper][1:] == [title for title, _ in shown][1:]
    assert not tab.evaluate("document.querySelector('.pick').checkVisibility()")


def test_the_story_prints_on_two_pages(browser, folder):
    """Up to its limits, on A4; what is behind it starts on a page of its own."""
    tab = Tab(browser, folder / "index.html", DESKTOP)
    whole = pages_on_paper(tab)
    tab.evaluate("document.querySelectorAll('.story ~ *').forEach(one => one.remove())")
    story = pages_on_paper(tab)
    assert 1 <= story <= 2
    assert story < whole


def pages_on_paper(tab: Tab) -> int:
    """Print a page and count the sheets."""
    printed = tab.call("Page.printToPDF", preferCSSPageSize=True)["data"]
    return len(re.findall(rb"/Type ?/Page\b", base64.b64decode(printed)))


def test_a_page_works_by_keyboard(browser, folder):
    """Tab reaches the skip link first and shows where it is; Enter follows, and unfolds code."""
    for page, tab in tabs(browser, folder, DESKTOP):
        tab.press("Tab", 9)
        assert "skip" in tab.evaluate(FOCUSED), page.name
        assert tab.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab.press("Enter", 13, "\r")
        assert 'id="content"' in tab.evaluate(FOCUSED), page.name
        if tab.evaluate(FOCUS_CODE) == "summary":
            tab.press("Enter", 13, "\r")
            assert tab.evaluate("document.activeElement.parentElement.open"), page.name


def test_one_switch_shows_all_code(browser, folder):
    """A box to tick, without a script."""
    hidden = (
        "document.querySelector('.code:not([open]) pre')?.checkVisibility("
        "{contentVisibilityAuto: true}) ?? null"
    )
    for page, tab in tabs(browser, folder, DESKTOP):
        if tab.evaluate(hidden) is None:
            continue
        before = tab.evaluate("document.querySelector('.code:not([open])').offsetHeight")
        tab.evaluate("document.querySelector('#all-code').click()")
        after = tab.evaluate("document.querySelector('.code:not([open])').offsetHeight")
        assert after > before, page.name
