from tests.compatibility import document
from tests.compatibility.cases import CASES


def test_the_document_has_every_case_and_no_other():
    lines = document.PATH.read_text(encoding="utf-8").splitlines()
    named = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
    heads = ["case", "---"] * len(document.HEADINGS)
    assert sorted(named) == sorted([case.name for case in CASES] + heads)


def test_every_group_has_a_heading():
    assert {case.group for case in CASES} == set(document.HEADINGS)
