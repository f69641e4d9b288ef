from tests.strategies import document


def test_the_page_says_what_the_strategies_and_the_example_say():
    page = document.PATH.read_text(encoding="utf-8")
    assert page == document.page(document.built_in()), "Run `python -m tests.strategies.document`."


def test_a_docstring_falls_into_its_parts():
    text = "What it is.\n\nChanges: one thing;\nand another.\nHelps when: always.\nCosts: nothing.\n"
    assert document.parts_of(text) == {
        "Changes": "one thing; and another",
        "Helps when": "always",
        "Costs": "nothing",
    }
