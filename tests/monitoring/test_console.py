import io
import os
import pty
import signal
import subprocess
import sys
import time

import pyte
import pytest

from autofix.monitoring.console import Console
from autofix.recipe import Recipe
from autofix.remedies import SetLearningRate
from autofix.report.records import Finding, Reference, RunRecord, TrialRecord
from autofix.scoring.assess import Assessment

RATE = SetLearningRate("lower_learning_rate", factor=0.01, was=1.0)

PLAIN = [
    "autofix: epoch 2: spread 0.000, skill -1.000",
    "autofix: After epoch 2: the same value for every row [spread 0].",
    "autofix: reference: linear, skill 0.900",
    "autofix: likely cause: learning_rate_too_high (97%): The rate is 1.",
    "autofix: rung 0: control, 1 trial, 0.0 s",
    "autofix: rung 1: + standardize_inputs + lower_learning_rate, 2 trials, best skill 0.800, accepted, 0.0 s",
    "autofix: recipes with fewer changes, 1 trial, best skill 0.790, minimal, 0.0 s",
    "autofix: Repair found: lower_learning_rate.",
    "autofix: repaired: skill -1.000 before, 0.900 after, 3.5 s in all",
    "    optimizer=keras.optimizers.Adam(0.01)   # was 1",
]


class Terminal(io.StringIO):
    """A stdout that says it is a terminal."""

    def isatty(self):
        return True


class BrokenTerminal(Terminal):
    def write(self, text):
        raise OSError("gone")


class LostTerminal(Terminal):
    """One that is lost after a while."""

    writes = 0

    def write(self, text):
        self.writes += 1
        if self.writes > 3:
            raise OSError("gone")
        return super().write(text)


def assessment(skill: float, **changes) -> Assessment:
    numbers = {"skill": skill, "skill_lower": skill, "skill_upper": skill, "loss": 1.0, "constant_loss": 1.0}
    return Assessment(**{
        "n_samples": 33, "spread": max(skill, 0.0), "is_finite": True, "is_target_constant": False,
        "output_name": "output", **numbers, **changes,
    })  # fmt: skip


def trial(skill: float, status: str = "rejected") -> TrialRecord:
    return TrialRecord(1, Recipe(), {}, skill, skill - 0.1, skill + 0.1, 0.5, 0.1, status)


REPAIRED = RunRecord(
    "repaired", before=(assessment(-1.0),), after=(assessment(0.9),), recipe=Recipe((RATE,)), seconds={"total": 3.5}
)


def escalate(console: Console) -> None:
    console.look(2, [assessment(-1.0)])
    with console.search("After epoch 2: the same value for every row [spread 0]."):
        console.reference([Reference("linear", 0.9, 0.8, 0.95), Reference("extra_trees", 0.5, 0.4, 0.6)])
        console.cause([Finding("learning_rate_too_high", 0.97, "The rate is 1.")])
        console.rung(0, [])
        console.trial(trial(float("nan"), "control"))
        console.rung(1, ["standardize_inputs", "lower_learning_rate"])
        console.trial(trial(0.5))
        console.trial(trial(0.8, "accepted"))
        console.trial(trial(0.79, "minimal"))
        console.outcome("Repair found: lower_learning_rate.")
    console.verdict(REPAIRED)


def on_terminal(monkeypatch, kind: str = "xterm-256color", columns: int = 120, **variables: str) -> Terminal:
    """Called in the test itself: pytest puts its own stdout in place after the fixtures."""
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    return terminal


def seen(output: str, columns: int = 120) -> pyte.Screen:
    """What a terminal shows after some output."""
    screen = pyte.Screen(columns, 40)
    pyte.Stream(screen).feed(output.replace("\n", "\r\n"))
    return screen


def rows(screen: pyte.Screen) -> list[str]:
    return [line.rstrip() for line in screen.display if line.strip()]


def test_verbose_0_says_nothing(capsys):
    escalate(Console(0))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_where_there_is_no_terminal_all_is_said_in_plain_lines(capsys, verbose):
    escalate(Console(verbose))
    out, err = capsys.readouterr()
    assert out.splitlines() == PLAIN
    assert err == ""


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_plain_lines(monkeypatch, kind):
    terminal = on_terminal(monkeypatch, kind)
    escalate(Console(1))
    assert terminal.getvalue().splitlines() == PLAIN


def test_verbose_2_is_plain_on_a_terminal_too(monkeypatch):
    terminal = on_terminal(monkeypatch)
    escalate(Console(2))
    assert terminal.getvalue().splitlines() == PLAIN


def test_on_a_terminal_the_ladder_fills_in_place(monkeypatch):
    terminal = on_terminal(monkeypatch)
    escalate(Console("auto"))
    shown = rows(seen(terminal.getvalue()))
    assert [line.split()[0] for line in shown] == [
        *("autofix:", "autofix", "seen", "likely", "reference", "rung", "rung", "smaller", "Repair"),
        *("autofix:", "optimizer=keras.optimizers.Adam(0.01)"),
    ]
    assert "[spread 0]" in shown[2]
    assert "learning_rate_too_high (97%): The rate is 1." in shown[3]
    reference, control, first, smaller = (line.translate(dict.fromkeys(map(ord, "━╸╺"))).split() for line in shown[4:8])
    assert reference[1:3] == ["linear", "0.900"]
    assert control[1:5] == ["0", "control", "1", "trial"]
    assert "0.800 0.700 to 0.900 accepted 2 trials" in " ".join(first)
    assert "0.790 0.690 to 0.890 minimal 1 trial" in " ".join(smaller)
    assert len({len(line) for line in shown[5:8]}) == 1  # columns stand below each other


def test_the_bars_are_as_long_as_the_skills(monkeypatch):
    terminal = on_terminal(monkeypatch)
    console = Console(1)
    with console.search("Wrong."):
        for index, skill in enumerate([-0.5, 0.5, 1.0]):
            console.rung(index, [f"change_{index}"])
            console.trial(trial(skill))
    screen = seen(terminal.getvalue())
    filled = []
    for number, line in enumerate(screen.display):
        if "change_" in line or "control" in line:
            cells = [screen.buffer[number][column] for column in range(120)]
            filled.append(sum(cell.data == "━" and cell.fg == "brown" for cell in cells))
    assert filled == [0, 8, 16]


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_a_narrow_terminal_keeps_the_numbers(monkeypatch, columns):
    terminal = on_terminal(monkeypatch, columns=columns)
    console = Console(1)
    with console.search("After epoch 2: the same value for every row."):
        console.rung(3, ["standardize_inputs", "lower_learning_rate", "add_hidden_layers", "resize_batches"])
        console.trial(trial(0.5))
    screen = seen(terminal.getvalue(), columns)
    rung = next(line for line in rows(screen) if "rung 3" in line)
    assert "0.500" in rung
    assert "1 trial" in rung
    assert rung.endswith(" s")
    assert sum("rung 3" in line for line in rows(screen)) == 1  # no line is left behind by drawing anew


def test_no_color_is_respected(monkeypatch):
    terminal = on_terminal(monkeypatch, NO_COLOR="1")
    escalate(Console(1))
    screen = seen(terminal.getvalue())
    assert {cell.fg for line in screen.buffer.values() for cell in line.values()} <= {"default"}


def test_the_clock_runs_while_a_trial_does(monkeypatch):
    terminal = on_terminal(monkeypatch)
    console = Console(1)
    with console.search("Wrong."):
        before = len(terminal.getvalue())
        deadline = time.monotonic() + 5.0
        while len(terminal.getvalue()) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(terminal.getvalue()) > before


def test_what_others_print_meanwhile_stands_above(monkeypatch):
    terminal = on_terminal(monkeypatch)
    console = Console(1)
    with console.search("Wrong."):
        console.rung(1, ["reshuffle"])
        print("a line of somebody else")
        console.trial(trial(0.5))
    shown = rows(seen(terminal.getvalue()))
    assert shown[0] == "a line of somebody else"
    assert sum("reshuffle" in line for line in shown) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_search_gives_the_terminal_back(monkeypatch, error):
    terminal = on_terminal(monkeypatch)

    def interrupted():
        console = Console(1)
        with console.search("Wrong."):
            console.rung(1, ["reshuffle"])
            assert sys.stdout is not terminal
            raise error

    with pytest.raises(error):
        interrupted()
    assert sys.stdout is terminal
    assert not seen(terminal.getvalue()).cursor.hidden


INTERRUPTED = """
import time
from autofix.monitoring.console import Console
console = Console(1)
try:
    with console.search("Wrong."):
        console.rung(1, ["reshuffle"])
        while True:
            time.sleep(0.01)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_leaves_a_real_terminal_in_order():
    own, of_program = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", INTERRUPTED]
    streams = {"stdin": of_program, "stdout": of_program, "stderr": of_program}
    screen = pyte.Screen(100, 20)
    stream = pyte.ByteStream(screen)
    with subprocess.Popen(command, **streams, env=environment, start_new_session=True) as process:
        os.close(of_program)
        was_hidden = False
        while True:
            try:
                data = os.read(own, 4096)
            except OSError:
                break
            if not data:
                break
            stream.feed(data)
            if not was_hidden and any("reshuffle" in line for line in screen.display):
                was_hidden = screen.cursor.hidden
                process.send_signal(signal.SIGINT)
    os.close(own)
    assert was_hidden
    assert not screen.cursor.hidden
    assert rows(screen)[-1] == "interrupted"
    assert process.returncode == 0


@pytest.mark.parametrize(
    "stream", [None, BrokenTerminal(), LostTerminal(), io.TextIOWrapper(io.BytesIO(), encoding="ascii")]
)
def test_a_stdout_that_cannot_be_written_to_never_raises(monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(1)
    escalate(console)
    console.outcome("größer")
    assert sys.stdout is stream


def test_a_closed_stdout_never_raises(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    escalate(Console("auto"))


def test_a_failure_to_draw_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(sys, "stdout", BrokenTerminal())
    with caplog.at_level("INFO", logger="autofix"):
        escalate(Console(1))
    assert "cannot be shown" in caplog.text


def test_methods_out_of_turn_say_nothing(capsys):
    console = Console(1)
    console.trial(trial(0.5))
    console.rung(1, ["reshuffle"])
    console.outcome("done")
    console.look(1, [])
    assert capsys.readouterr().out == ""


def test_a_rung_has_one_line_however_often_it_is_named(capsys):
    console = Console(verbose=2)
    with console.search("Wrong."):
        for _ in range(3):
            console.rung(1, ["reshuffle"])
            console.trial(trial(0.5))
    assert capsys.readouterr().out.count("rung 1: + reshuffle, 3 trials") == 1


def test_outputs_are_told_apart_and_infinite_ones_named(capsys):
    Console(2).look(4, [assessment(0.5, output_name="price"), assessment(0.5, output_name="kind", is_finite=False)])
    assert capsys.readouterr().out == (
        "autofix: epoch 4: price spread 0.500, skill 0.500; kind predictions are not finite\n"
    )


def test_a_rung_is_called_after_what_it_adds(capsys):
    console = Console(verbose=2)
    with console.search("Wrong."):
        console.rung(1, ["reshuffle"])
        console.rung(2, ["reshuffle", "resize_batches"])
        console.rung(2, ["train_longer"])
        console.rung(3, ["reshuffle", "train_longer"])
    lines = [line.partition(", ")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == [
        "autofix: rung 1: + reshuffle",
        "autofix: rung 2: + resize_batches + train_longer",
        "autofix: rung 3: reshuffle + train_longer",
    ]


@pytest.mark.parametrize("status", ["proven", "sufficient", "accepted"])
def test_a_rung_that_gets_there_says_so(capsys, status):
    console = Console(verbose=2)
    with console.search("Wrong."):
        console.rung(1, ["reshuffle"])
        console.trial(trial(0.75, status))
        console.trial(trial(0.5))
    assert f"best skill 0.750, {status}," in capsys.readouterr().out
