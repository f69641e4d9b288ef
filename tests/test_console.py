import io
import sys

import pytest

from autofix.console import Console
from autofix.recipe import Recipe
from autofix.report.records import TrialRecord


class Terminal(io.StringIO):
    """A stdout that says it is a terminal."""

    def isatty(self):
        return True


class BrokenTerminal(Terminal):
    def write(self, text):
        raise OSError("gone")


def trial(skill: float) -> TrialRecord:
    return TrialRecord(1, Recipe(), {}, skill, skill, skill, 0.5, 0.1, "rejected")


def escalate(console: Console) -> None:
    with console:
        console.suspicion("Epoch 2: predictions are constant [spread 0.000].")
        console.rung(0, [])
        console.trial(trial(float("nan")))
        console.rung(1, ["standardize_inputs", "lower_learning_rate"])
        console.trial(trial(0.5))
        console.trial(trial(0.25))
        console.rung_done()
        console.verdict("repaired\nby a lower rate")


def on_terminal(monkeypatch, kind: str = "xterm-256color") -> Terminal:
    """Called in the test itself: pytest puts its own stdout in place after the fixtures."""
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    return terminal


def test_verbose_0_says_nothing(capsys):
    escalate(Console(0))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_where_there_is_no_terminal_each_rung_is_one_plain_line(capsys, verbose):
    escalate(Console(verbose))
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "",
        "Epoch 2: predictions are constant [spread 0.000].",
        "rung 0: control, 1 trial, 0.0 s",
        "rung 1: standardize_inputs + lower_learning_rate, 2 trials, best skill 0.500, 0.0 s",
        "repaired",
        "by a lower rate",
    ]
    assert err == ""


def test_on_a_terminal_the_line_of_a_rung_is_live(monkeypatch):
    terminal = on_terminal(monkeypatch)
    escalate(Console("auto"))
    shown = terminal.getvalue()
    assert "\x1b[2K" in shown
    assert "1 trial, best skill 0.500" in shown
    assert "2 trials, best skill 0.500" in shown
    assert shown.endswith("repaired\nby a lower rate\n")


def test_a_narrow_terminal_cuts_the_names_short_and_not_the_numbers(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with Console(1) as console:
        console.rung(3, ["standardize_inputs", "lower_learning_rate", "add_hidden_layers", "resize_batches"])
        console.trial(trial(0.5))
    lines = terminal.getvalue().replace("\r", "\n").replace("\x1b[2K", "").splitlines()
    assert any(line.endswith("..., 1 trial, best skill 0.500, 0.0 s") for line in lines)
    assert max(map(len, lines)) <= 100 + len("\x1b[?25l")


def test_verbose_2_is_plain_on_a_terminal_too(monkeypatch):
    terminal = on_terminal(monkeypatch)
    escalate(Console(2))
    assert "\x1b" not in terminal.getvalue()


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    terminal = on_terminal(monkeypatch, "dumb")
    escalate(Console(1))
    assert "\x1b" not in terminal.getvalue()


def test_an_interrupted_rung_gives_the_terminal_back(monkeypatch):
    terminal = on_terminal(monkeypatch)

    def interrupted():
        with Console(1) as console:
            console.rung(1, ["reshuffle"])
            assert sys.stdout is not terminal
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sys.stdout is terminal
    assert terminal.getvalue().rstrip("\n").endswith("\x1b[?25h")  # the cursor is shown again


@pytest.mark.parametrize("stream", [None, BrokenTerminal(), io.TextIOWrapper(io.BytesIO(), encoding="ascii")])
def test_a_stdout_that_cannot_be_written_to_never_raises(monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)
    console = Console(1)
    escalate(console)
    console.verdict("größer")


def test_a_closed_stdout_never_raises(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    escalate(Console("auto"))


def test_methods_out_of_turn_never_raise(capsys):
    console = Console(1)
    console.rung_done()
    console.trial(trial(0.5))
    console.verdict("done")
    assert capsys.readouterr().out == "done\n"


def test_a_rung_has_one_line_however_often_it_is_named(capsys):
    console = Console(verbose=2)
    for _ in range(3):
        console.rung(1, ["reshuffle"])
        console.trial(trial(0.5))
    console.rung_done()
    assert capsys.readouterr().out.count("rung 1: reshuffle, 3 trials") == 1
