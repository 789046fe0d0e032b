"""The page of `ecr-warden preview`, in a real browser."""

from itertools import pairwise

import pytest
from browser import launched, needs_browser, opened
from hostile import HOSTILE, outcome_with

from ecr_warden.domain.finding_summary import FindingShown, FindingsSummary
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden_cli.preview.messages import Gathered
from ecr_warden_cli.preview.page import page
from ecr_warden_cli.preview.previews import previews
from ecr_warden_cli.preview.renderers import EXAMPLES
from ecr_warden_cli.preview.samples import sample

TITLE = "ECR Warden: what people see"
WIDTHS = (360, 1280)
SAMPLES = [sample(kind) for kind in OutcomeKind]
# The least contrast that WCAG 2 asks of texts, by how they are seen; pictures of letters are none.
CONTRASTS = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const over = (top, below) => {
    const alpha = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map(i => top[i] * alpha + below[i] * (1 - alpha));
  };
  const light = rgb => rgb.map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = node => {
    if (!node) return [255, 255, 255];
    const own = channels(getComputedStyle(node).backgroundColor);
    return over(own, ground(node.parentElement));
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const isSeen = walker.currentNode.data.trim() && node.getClientRects().length;
    if (!isSeen || node.closest('[aria-hidden]')) continue;
    const style = getComputedStyle(node);
    const back = ground(node);
    const front = over(channels(style.color), back).map(
      (v, i) => v * Number(style.opacity) + back[i] * (1 - Number(style.opacity)));
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) poor.add(`${node.className || node.tagName} ${ratio.toFixed(2)}`);
  }
  return [...poor];
}"""

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture
def look(browser, tmp_path):
    """Open a page of some messages, and find what it did that it must not do."""

    def look(told, *, width=1280, scheme="light"):
        path = tmp_path / "page.html"
        path.write_text(page(told, made_of="made of samples"), encoding="utf-8")
        return opened(browser, path, width=width, scheme=scheme)

    return look


def hostile(text):
    """Give an outcome in which scanners' texts are hostile too."""
    worst = (FindingShown(text, text, package=text, installed_version=text, fixed_version=text, url=text),)
    findings = FindingsSummary({text: 1}, {text: 1}, {}, worst=worst)
    return outcome_with(text, id=text, kind=OutcomeKind.IMAGE_VULNERABLE, findings=findings)


def shown(outcomes, gathered=Gathered.EACH):
    return previews(outcomes, EXAMPLES, gathered)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("gathered", Gathered)
def test_whatever_messages_say_nothing_runs_nothing_is_loaded_and_the_layout_holds(look, width, gathered):
    told = shown([hostile(text) for text in HOSTILE], gathered)
    with look(told, width=width) as seen:
        # What was sent is part of the layout.
        seen.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert seen.title() == TITLE
        assert seen.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.locator("article").count() == sum(len(one.previews) for one in told)
        assert seen.locator("script, img, iframe, object, embed, form, base").count() == 0
        # Of SVG there is our shield alone.
        assert seen.locator("svg").count() == seen.locator("span.avatar > svg").count()
        assert seen.locator(".mention").count() == 0


def test_markup_that_a_message_has_is_seen_as_text(look):
    text = "<b>x</b><script>alert(1)</script><img src=x onerror=alert(1)>"
    with look(shown([hostile(text)])) as seen:
        assert seen.locator(f'h2:has-text("{text}")').count() == 1


def test_a_script_that_came_into_the_page_all_the_same_would_not_run(browser, tmp_path):
    html = page(shown(SAMPLES[:1]), made_of="x")
    path = tmp_path / "page.html"
    path.write_text(html.replace("</main>", "<script>document.title = 'forged'</script></main>"))
    seen = browser.new_page()
    refused = []
    seen.on("console", lambda message: refused.append(message.text))
    seen.goto(path.as_uri())
    assert seen.title() == TITLE
    assert "Content Security Policy" in refused[0]
    seen.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_both_colour_schemes(look, scheme):
    with look(shown(SAMPLES), scheme=scheme) as seen:
        seen.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert seen.evaluate(CONTRASTS) == []


def test_the_two_schemes_are_not_the_same(look):
    grounds = set()
    for scheme in ("light", "dark"):
        with look(shown(SAMPLES[:1]), scheme=scheme) as seen:
            grounds.add(seen.evaluate("getComputedStyle(document.querySelector('.slack')).backgroundColor"))
    assert len(grounds) == 2


@pytest.mark.parametrize("width", WIDTHS)
def test_samples_fit_in_any_width(look, width):
    with look(shown(SAMPLES), width=width) as seen:
        assert seen.evaluate("document.documentElement.scrollWidth") <= width


def test_headings_go_down_by_one_level_and_there_is_one_of_the_page(look):
    with look(shown(SAMPLES)) as seen:
        levels = seen.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(one => +one.tagName[1])")
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
        assert seen.get_by_role("navigation", name="Messages").count() == 1
        assert seen.get_by_role("main").count() == 1
        assert seen.get_by_role("region", name=shown(SAMPLES[:1])[0].headline).count() == 1


def test_the_keyboard_reaches_the_messages_and_opens_what_is_sent(look):
    with look(shown(SAMPLES[:1])) as seen:
        seen.keyboard.press("Tab")
        assert seen.evaluate("document.activeElement.textContent") == "Skip to the messages"
        seen.keyboard.press("Enter")
        for _ in range(30):
            seen.keyboard.press("Tab")
            if seen.evaluate("document.activeElement.tagName") == "SUMMARY":
                break
        seen.keyboard.press("Enter")
        assert seen.locator("details[open] pre.json").count() == 1


def test_an_answer_stands_below_the_message_that_it_settles(look):
    vulnerable, recovered = sample(OutcomeKind.IMAGE_VULNERABLE), sample(OutcomeKind.IMAGE_RECOVERED)
    with look(shown([vulnerable, recovered])) as seen:
        thread = seen.locator("article:has(.thread)")
        assert thread.count() == 1
        root = thread.locator(".slack").first
        assert "Settled" in root.locator(".title").first.inner_text()
        assert "passes the scan gate again" in thread.locator(".thread .title").inner_text()


def test_the_severity_is_told_in_words_and_not_by_its_colour_alone(look):
    with look(shown(SAMPLES)) as seen:
        severities = seen.locator(".about .severity").all_inner_texts()
        assert severities == [one.severity.value for one in SAMPLES]
