from autofix.causes import RULES
from autofix.search.repair_record import LEAK
from tests.causes.document import PATH, page, treated_by
from tests.causes.texts import TEXTS


def test_every_cause_has_its_text():
    assert set(TEXTS) == {rule.__name__ for rule in RULES} | {LEAK.cause}
    assert set(treated_by()) <= set(TEXTS)


def test_the_page_says_what_the_code_does():
    assert PATH.read_text(encoding="utf-8") == page(), "Run `python -m tests.causes.document`."
