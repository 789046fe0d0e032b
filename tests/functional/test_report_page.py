"""The page of a report, in a real browser."""

import re

import pytest
from browser import launched, needs_browser, opened
from hostile import HOSTILE
from playwright.sync_api import expect
from report_world import AFTER, BEFORE, GB, PARTIAL, row, section, some_rows, summary

from ecr_warden.adapters.report import write_html
from ecr_warden.domain.sweep.image_totals import ImageTotals
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.domain.sweep.rows import RepairRow
from ecr_warden.domain.sweep.summary import Unseen
from ecr_warden.domain.sweep.totals import ReportTotals
from ecr_warden.domain.sweep.visits import RepairStatus

PLOTS = ("teams", "sections", "storage", "vulnerabilities", "rules", "unpulled")
# Pixels: columns of a thousand and more are not quite of the same height.
HOLE = 200
# Milliseconds; on a slow machine too.
BOUND = 20_000

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture
def look(browser, tmp_path):
    """Open a report of some rows, and find what it did that it must not do."""

    def look(rows, *, width=1280, scheme="light", **said):
        path = tmp_path / "report.html"
        with path.open("w", encoding="utf-8") as out:
            write_html(out, iter(rows), summary(rows, **said))
        return opened(browser, path, width=width, scheme=scheme, ready=is_ready)

    def is_ready(seen):
        seen.wait_for_selector("#report:not([hidden])", timeout=BOUND)

    return look


def names(seen):
    return seen.locator("#table tr.row .open").all_inner_texts()


def tile(seen, name):
    return seen.locator(f'[data-tile="{name}"]').inner_text()


def test_the_numbers_on_top_are_those_of_the_rows(look):
    rows = some_rows(60)
    totals = ReportTotals()
    for one in rows:
        totals.add(one)
    with look(rows) as seen:
        assert tile(seen, "repositories") == "60"
        # Rounded down: 99.97 % are not all.
        assert tile(seen, "compliant") == f"{int(totals.compliant_share * 1000) / 10:g}%"
        assert tile(seen, "drifted") == str(totals.drifted)
        assert tile(seen, "repaired") == str(totals.repairs["changed"])
        assert tile(seen, "failed") == str(totals.repairs["failed"])
        assert tile(seen, "cost") == f"${totals.monthly_cost:.2f}"
        assert tile(seen, "savings") == f"${totals.monthly_savings:.2f}"
        assert tile(seen, "critical") == f"{totals.findings['critical']:,}"
        assert tile(seen, "high") == f"{totals.findings['high']:,}"
        assert tile(seen, "unpulled") == f"{totals.never_pulled:,}"


def test_archived_images_above_150_tb_of_a_registry_cost_less(look):
    rows = [row(f"cold/{at}", images=ImageTotals(images=1, archive_bytes=100 * 1024 * GB)) for at in range(2)]
    totals = ReportTotals()
    for one in rows:
        totals.add(one)
    assert totals.monthly_cost == pytest.approx(150 * 1024 * 0.10 + 50 * 1024 * 0.07)
    with look(rows) as seen:
        assert tile(seen, "cost") == f"${totals.monthly_cost:,.0f}"


def test_every_plot_is_drawn_and_says_in_words_what_it_shows(look):
    with look(some_rows(60)) as seen:
        for plot in PLOTS:
            assert seen.locator(f"#{plot} svg rect").count() > 0, plot
            for label in seen.locator(f"#{plot} svg").evaluate_all("all => all.map(one => one.ariaLabel)"):
                assert re.search(r": .*\d", label), plot
        assert seen.locator("#storage .bars li").count() == 20


@pytest.mark.parametrize("column", ["name", "size", "critical", "unpulled"])
def test_a_heading_sorts_by_click_and_by_keyboard_and_back(look, column):
    keys = {
        "name": lambda one: one.repository,
        "size": lambda one: one.images.size,
        "critical": lambda one: one.vulnerabilities.of("critical"),
        "unpulled": lambda one: one.images.never_pulled,
    }
    rows = some_rows(40)
    by_name = {one.repository: keys[column](one) for one in rows}
    with look(rows) as seen:
        heading = seen.locator(f'th[data-column="{column}"]')
        heading.locator("button").click()
        first = [by_name[name] for name in names(seen)]
        is_up = column == "name"
        assert first == sorted(first, reverse=not is_up)
        assert heading.get_attribute("aria-sort") == ("ascending" if is_up else "descending")
        seen.keyboard.press("Enter")
        assert [by_name[name] for name in names(seen)] == sorted(first, reverse=is_up)
        assert seen.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 1


def test_search_narrows_the_table_the_numbers_and_the_plots(look):
    with look(some_rows(40)) as seen:
        seen.get_by_role("searchbox", name="Search").fill("SHOP/ payments")
        expect(seen.locator("#count")).to_contain_text(re.compile(r"^\d of 40 repositories"))
        found = names(seen)
        assert found
        assert all(name.startswith("shop/") for name in found)
        assert tile(seen, "repositories") == str(len(found))
        assert seen.locator("#teams .bars li").count() == 1
        seen.get_by_role("button", name="Clear").click()
        assert len(names(seen)) == 40
        seen.get_by_role("searchbox", name="Search").fill("no such repository")
        expect(seen.locator("#count")).to_have_text("No repository matches.")


@pytest.mark.parametrize(
    ("label", "option", "keeps"),
    [
        ("Account", "222222222222", lambda one: one.account == "222222222222"),
        ("Region", "us-east-1", lambda one: one.region == "us-east-1"),
        ("Team", "No team", lambda one: one.owner is None),
        ("Section", "encryption", lambda one: any(each.section == "encryption" for each in one.sections)),
        (
            "Standing",
            "Needs a person",
            lambda one: "violation" in {one.state, *(each.state for each in one.sections)},
        ),
    ],
)
def test_a_filter_shows_those_that_are_so_and_no_others(look, label, option, keeps):
    rows = some_rows(40)
    with look(rows) as seen:
        seen.get_by_label(label, exact=True).select_option(label=option)
        wanted = sorted(one.repository for one in rows if keeps(one))
        assert 0 < len(wanted) < 40
        assert sorted(names(seen)) == wanted


def test_section_and_standing_together_are_of_one_and_the_same_section(look):
    rows = some_rows(60)
    with look(rows) as seen:
        seen.get_by_label("Section", exact=True).select_option(label="tags")
        seen.get_by_label("Standing", exact=True).select_option(label="Kept as chosen")
        wanted = [
            one.repository
            for one in rows
            if any((each.section, each.state) == ("tags", "kept") for each in one.sections)
        ]
        assert sorted(names(seen)) == sorted(wanted)


def test_a_bar_of_a_team_shows_that_team_alone(look):
    with look(some_rows(40)) as seen:
        seen.locator("#teams .name", has_text="payments").click()
        assert seen.locator("#team").evaluate("one => one.selectedOptions[0].textContent") == "payments"
        assert set(seen.locator("#table td.team").all_inner_texts()) == {"payments"}


def test_a_row_opens_what_differs_by_which_rule_and_what_to_do(look):
    rows = [
        row(
            sections=(
                section(standing=Standing.DIFFERS, what="tags can move", before=BEFORE, after=AFTER),
                section(
                    "encryption", Standing.VIOLATION, line=17, what="it is AES256", next_step="make it anew"
                ),
            ),
            repairs=(RepairRow("tag_mutability", RepairStatus.FAILED, "denied", "change-7"),),
            repair_counts={"failed": 1},
        )
    ]
    with look(rows) as seen:
        seen.locator(".open").focus()
        seen.keyboard.press("Enter")
        assert seen.locator(".open").get_attribute("aria-expanded") == "true"
        said = seen.locator("tr.detail").inner_text()
        for text in ("policy.yaml:4", "Tags can move.", '"MUTABLE"', '"IMMUTABLE"', "policy.yaml:17"):
            assert text in said
        assert "What to do: Make it anew." in said
        assert "change-7" in said
        seen.keyboard.press("Enter")
        assert seen.locator("tr.detail").count() == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_whatever_names_say_nothing_runs_nothing_is_loaded_and_the_layout_holds(look, width):
    texts = (*HOSTILE, "</script><script>alert(1)</script>", "<!--<script>", "x" * 5_000)
    rows = [
        row(
            text,
            owner=text,
            problem=text,
            sections=(section(text, Standing.VIOLATION, what=text, next_step=text, before=text, after=text),),
            repairs=(RepairRow(text, RepairStatus.CHANGED, text, text),),
            images=ImageTotals(images=3, never_pulled=2, never_pulled_bytes=GB, standard_bytes=GB),
        )
        for text in texts
    ]
    unseen = tuple(Unseen(text, text, text) for text in texts)
    with look(rows, width=width, unseen=unseen, run="</title><script>alert(1)</script>") as seen:
        for one in seen.locator(".open").all():
            one.click()
        seen.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert seen.title() == "ECR Warden: report"
        assert seen.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.locator("img, iframe, object, embed, base, b").count() == 0
        # The page's own.
        assert seen.locator("script").count() == 1
        assert "\u202e" not in seen.locator("#table").inner_text()
        shown = "</script><script>alert(1)</script>"
        assert seen.locator(".open", has_text=shown).count() >= 1


def test_a_script_that_came_into_the_page_all_the_same_would_not_run(browser, tmp_path):
    path = tmp_path / "report.html"
    with path.open("w", encoding="utf-8") as out:
        write_html(out, [], summary())
    html = path.read_text(encoding="utf-8")
    path.write_text(html.replace("</main>", "<script>document.title = 'forged'</script></main>"))
    seen = browser.new_page()
    refused = []
    seen.on("console", lambda message: refused.append(message.text))
    seen.goto(path.as_uri())
    assert seen.title() == "ECR Warden: report"
    assert "Content Security Policy" in refused[0]
    seen.close()


def test_a_report_of_a_part_says_of_which_and_not_that_the_registry_is_empty(look):
    scope = "only repositories that match zzz/** and the sections lifecycle"
    with look([], places=("111111111111/eu-central-1",), scope=scope) as seen:
        said = seen.locator("#outcome").inner_text()
        assert said == f"Nothing was looked at: no repository of 1 registry is asked for, {scope}."
        assert seen.locator("#said").inner_text().endswith(f"; {scope}")
        assert "no images" in seen.locator("#tiles").inner_text()
        assert "not listed" not in seen.locator("#tiles").inner_text()
    with look([row(sections=(section(),))], places=("111111111111/eu-central-1",), scope=scope) as seen:
        said = seen.locator("#outcome").inner_text()
        assert said == f"Complete: 1 repository of 1 registry was looked at, {scope}."


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "the one repository of 1 registry was looked at"),
        (2, "all 2 repositories of 1 registry were looked at"),
    ],
)
def test_all_of_a_registry_is_said_as_many_as_there_are(look, number, said):
    with look(some_rows(number), places=("111111111111/eu-central-1",)) as seen:
        assert seen.locator("#outcome").inner_text() == f"Complete: {said}."


@pytest.mark.parametrize("number", [0, 1, 3, 200])
def test_no_plot_is_stretched_over_a_hole(look, number):
    with look(some_rows(number)) as seen:
        holes = seen.locator("#plots .card").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().bottom"
            " - one.lastElementChild.getBoundingClientRect().bottom)"
        )
        assert len(holes) == len(PLOTS)
        assert max(holes) < HOLE


def test_an_empty_registry_says_so(look):
    with look([], places=("111111111111/eu-central-1",)) as seen:
        assert "Complete: there is no repository in 1 registry." in seen.locator("#outcome").inner_text()
        assert tile(seen, "repositories") == "0"
        assert tile(seen, "compliant") == "\N{EN DASH}"
        assert seen.locator("#count").inner_text() == "No repository was found."
        assert seen.locator(".none").all_inner_texts() == ["Nothing to show."] * len(PLOTS)


def test_one_repository_that_no_image_was_listed_of_looks_right(look):
    with look([row(sections=(section(),))]) as seen:
        assert tile(seen, "compliant") == "100%"
        assert tile(seen, "storage") == "\N{EN DASH}"
        assert names(seen) == ["shop/api"]
        assert seen.locator("#teams .number").inner_text() == "100% of 1"


def test_what_was_not_looked_at_is_told_with_why(look):
    with look(some_rows(3), unseen=PARTIAL) as seen:
        said = seen.locator("#outcome").inner_text()
        assert said.startswith("Partial: 3 repositories of 3 registries were looked at; 2 things were not.")
        assert "333333333333/eu-west-1: Its role ecr-warden-member cannot be assumed." in said
        assert "(50 repositories): The worker ran out of time." in said


def test_twenty_thousand_repositories_can_be_looked_through(look):
    with look(some_rows(20_000)) as seen:
        assert tile(seen, "repositories") == "20,000"
        assert seen.locator("tr.row").count() == 500
        assert "the first 500 are shown, 19,500 more match" in seen.locator("#count").inner_text()
        seen.get_by_role("searchbox", name="Search").fill("service-19999")
        expect(seen.locator("#count")).to_have_text("1 of 20,000 repositories.", timeout=BOUND)
        assert names(seen) == ["cache/service-19999"]


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_the_page_fits_in_any_width(look, width):
    with look(some_rows(30), width=width) as seen:
        seen.locator(".open").first.click()
        assert seen.evaluate("document.documentElement.scrollWidth") <= width


def test_the_two_colour_schemes_are_not_the_same(look):
    grounds = set()
    for scheme in ("light", "dark"):
        with look(some_rows(2), scheme=scheme) as seen:
            grounds.add(seen.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor"))
    assert len(grounds) == 2


def test_a_page_that_was_cut_off_says_so(browser, tmp_path):
    path = tmp_path / "report.html"
    with path.open("w", encoding="utf-8") as out:
        write_html(out, some_rows(50), summary())
    html = path.read_text(encoding="utf-8")
    data = re.search(r'id="data">([^<]+)<', html)[1]
    path.write_text(html.replace(data, data[: len(data) // 8 * 4]), encoding="utf-8")
    seen = browser.new_page()
    seen.goto(path.as_uri())
    expect(seen.locator("#loading")).to_contain_text("The report cannot be shown")
    seen.close()
