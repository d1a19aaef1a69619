"""Who a list is for: a user who is looked up, a description, a history."""

from __future__ import annotations

import re

import shortlist as sl

from .page_world import Open, World, hits, listed, shows, with_sources


def test_a_user_is_found_with_the_keys(visit: Open, world: World) -> None:
    page = visit()
    page.get_by_text("The list will appear here").wait_for()
    field = page.get_by_role("combobox", name="Find a user")
    field.fill("15")
    hits(page).nth(1).wait_for()
    options = hits(page).locator(".option-name").all_inner_texts()
    assert options[:2] == ["15", "150"]
    assert field.get_attribute("aria-expanded") == "true"
    field.press("ArrowDown")
    field.press("ArrowDown")
    marked = field.get_attribute("aria-activedescendant")
    assert page.locator(f"#{marked}").inner_text().startswith("150")
    field.press("Enter")
    page.get_by_role("heading", name="For user 150").wait_for()
    shows(page, world.titles(world.models["ials"].recommend(users=[150], k=10)))
    assert field.get_attribute("aria-expanded") == "false"


def test_enter_does_not_take_a_hit_of_an_older_text(visit: Open) -> None:
    page = visit()
    field = page.get_by_role("combobox", name="Find a user")
    field.fill("15")
    hits(page).first.wait_for()
    field.fill("7")
    field.press("Enter")  # before the search has answered
    hits(page).first.wait_for()
    assert hits(page).first.inner_text().startswith("7")
    field.press("Enter")
    page.get_by_role("heading", name="For user 7").wait_for()


def test_what_is_known_of_a_user(visit: Open, world: World) -> None:
    page = visit("model=jobs&user=U00005")
    page.locator(".card summary").click()
    data = world.models["jobs"].data
    row = int(data.users.rows(["U00005"])[0])
    known = data.user_features.slice(row, 1).to_pylist()[0]
    card = page.locator(".card").inner_text()
    assert f"degree\n{known['degree']}" in card
    assert f"keywords\n{', '.join(known['keywords'])}" in card
    chosen = page.locator(".card .plain button").all_inner_texts()
    seen = data.items.take(data.matrix[[row]].indices).to_pylist()
    # Postings have no titles: each is called by its id and what is known of it.
    assert {one.partition(" (")[0] for one in chosen} <= set(seen)
    assert all(re.search(r" \((keywords .*, )?education ", one) for one in chosen)
    assert len(chosen) == min(5, len(seen))


def test_a_history_is_clicked_together(visit: Open, world: World) -> None:
    page = visit()
    page.get_by_role("tab", name="History").click()
    field = page.get_by_role("combobox", name="Find an item")
    for text in ("toy story 2", "jurassic park"):
        field.fill(text)
        hits(page).first.wait_for()
        assert hits(page).first.inner_text().lower().startswith(text)
        field.press("Enter")
        hits(page).first.wait_for(state="hidden")
    data = world.models["ials"].data
    ids = {title.lower(): one for title, one in zip(
        data.item_features["title"].to_pylist(), data.items.ids.to_pylist(), strict=True
    ) if title}  # fmt: skip
    history = [ids["toy story 2"], ids["jurassic park"]]
    wanted = world.models["ials"].recommend(queries=[sl.Query(history=history)], k=10)
    shows(page, world.titles(wanted))

    third = listed(page)[0]
    page.get_by_role("button", name=f"Add {third} to the history").click()
    history.append(wanted.column("item_id")[0])
    more = world.models["ials"].recommend(queries=[sl.Query(history=history)], k=10)
    shows(page, world.titles(more))

    page.get_by_role("button", name="Remove Jurassic Park").click()
    del history[1]
    fewer = world.models["ials"].recommend(queries=[sl.Query(history=history)], k=10)
    shows(page, world.titles(fewer))


def test_a_description_is_a_query_with_features(visit: Open, world: World) -> None:
    page = visit("model=jobs&as=description")
    model = world.models["jobs"]
    person = model.data.user_features.slice(3, 1).to_pylist()[0]
    page.get_by_role("spinbutton", name="degree").fill(str(person["degree"]))
    page.get_by_label("career month").fill("18")
    page.get_by_label("industry").select_option(person["industry"])
    for word in person["keywords"][:2]:
        page.get_by_role("combobox", name="keywords", exact=True).fill(word)
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Show the list").click()
    features = {
        "degree": person["degree"],
        "career_month": 18,
        "industry": person["industry"],
        "keywords": person["keywords"][:2],
    }
    wanted = model.recommend(queries=[sl.Query(features=features)], k=10)
    assert set(wanted.column("source")) == {"ContentBased"}
    shows(page, world.titles(wanted, "jobs"), "jobs")

    page.reload()
    shows(page, world.titles(wanted, "jobs"), "jobs")
    assert page.get_by_label("career month").input_value() == "18"

    first = listed(page, "jobs")[0]
    page.get_by_role("button", name=f"Add {first} to the history").click()
    both = sl.Query(features=features, history=[wanted.column("item_id")[0]])
    shows(page, world.titles(model.recommend(queries=[both], k=10), "jobs"), "jobs")


def test_a_pasted_text_fills_the_form(visit: Open, world: World) -> None:
    page = visit("model=jobs&as=description")
    data = world.models["jobs"].data
    lists = data.user_features["keywords"].to_pylist()
    counted = [word for words in lists for word in words or []]
    word = max(set(counted), key=lambda one: (counted.count(one), one))
    page.get_by_text("Paste a text").click()
    page.get_by_label("A résumé, or one field per line").fill(
        f"이력서\ndegree: 4\n- Career month = 1,2 months\nupdated_date: since 2020-05-31\n"
        f"저는 {word}을 했습니다. A number: 77"
    )
    page.get_by_role("button", name="Fill in the form").click()
    assert page.get_by_role("spinbutton", name="degree").input_value() == "4"
    assert page.get_by_role("spinbutton", name="career month").input_value() == "12"
    assert page.get_by_label("updated date").input_value() == "2020-05-31"
    assert word in page.locator('[data-kind="list"] .chip').all_inner_texts()
    said = page.get_by_text("Filled in from the text")
    assert "degree, career month, updated date, keywords" in said.inner_text()


def test_an_empty_form_says_so(visit: Open) -> None:
    page = visit("model=jobs&as=description")
    page.get_by_role("button", name="Show the list").click()
    page.get_by_text("Fill in at least one field.").wait_for()
    assert "features" not in page.url


def test_a_model_without_descriptions_names_one_with(visit: Open) -> None:
    page = visit("as=description")
    page.get_by_role("tabpanel").get_by_text("ials does not use descriptions.").first.wait_for()
    page.get_by_role("tabpanel").get_by_role("button", name="jobs").click()
    page.get_by_label("career month").wait_for()


RESUME = """홍길동
연락처: 010-1234-5678
희망연봉 4,500만원
직전 연봉: 3,800만원
경력 5년 3개월
최종 수정 2020년 5월 31일
한국고등학교 졸업, 서울대학교 학사 (2014년 3월 ~ 2018년 2월 졸업)
지원 직무: 물리치료사
"""


def test_a_korean_resume_is_read(visit: Open) -> None:
    """Units of won, years and months, dates, the highest degree and a job become values."""
    page = visit()
    with_sources(page)
    read = page.evaluate(
        """async (text) => {
          const { learnFields } = await import("/sources/format.js");
          const { readText } = await import("/sources/query/paste.js");
          const fields = [
            { name: "hope_salary", kind: "number", min: 1000, max: 10000 },
            { name: "last_salary", kind: "number", min: 900, max: 10000 },
            { name: "career_month", kind: "number", min: 0, max: 400 },
            { name: "updated", kind: "date", label: "수정" },
            { name: "graduate_date", kind: "number", min: 1970, max: 2022 },
            { name: "degree", kind: "number", min: 2, max: 5,
              labels: { 2: "고졸", 4: "학사", 5: "석사" } },
            { name: "job_code", kind: "category", values: ["7", "8"],
              labels: { 7: "물리치료사", 8: "치료사" } },
          ];
          learnFields(fields);
          return readText(text, fields);
        }""",
        RESUME,
    )
    assert read["found"] == {
        "hope_salary": 4500,
        "last_salary": 3800,
        "career_month": 63,
        "updated": "2020-05-31",
        "graduate_date": 2018,
        "degree": 4,
        "job_code": "7",
    }
    assert read["unused"] == ["홍길동", "연락처: 010-1234-5678"]


def test_an_invalid_number_says_so(visit: Open) -> None:
    page = visit("model=jobs&as=description")
    number = page.get_by_role("spinbutton", name="career month")
    number.press_sequentially("1e")
    page.get_by_text("This is not a number.").wait_for()
    assert number.get_attribute("aria-invalid") == "true"
    number.press_sequentially("1")
    page.get_by_text("This is not a number.").wait_for(state="detached")
    assert number.get_attribute("aria-invalid") == "false"


def test_labels_stand_for_names_and_codes(visit: Open) -> None:
    page = visit()
    with_sources(page)
    shown = page.evaluate(
        """async () => {
          const { fieldName, learnFields, valueText } = await import("/sources/format.js");
          const name = "address_seq1";
          const before = [fieldName(name), valueText(3, name)];
          learnFields([{ name, kind: "number", label: "region", labels: { 3: "Busan" } }]);
          return [...before, fieldName(name), valueText(3, name), valueText([3, 4], name)];
        }"""
    )
    assert shown == ["address seq1", "3", "region", "Busan", "Busan, 4"]


def test_on_a_phone_the_list_stands_on_the_first_screen(visit: Open) -> None:
    page = visit("user=11", viewport={"width": 390, "height": 844})
    listed(page)
    for row in (0, 1):
        box = page.locator(".row").nth(row).bounding_box()
        assert box["y"] + box["height"] < 844
    assert not page.get_by_role("combobox", name="Find a user").is_visible()
    page.get_by_role("button", name="Change").click()
    field = page.get_by_role("combobox", name="Find a user")
    field.fill("15")
    hits(page).first.click()
    page.get_by_role("heading", name="For user 15").wait_for()
    field.wait_for(state="hidden")
