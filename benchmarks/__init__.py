"""Training programs with known faults, and what autofix makes of them: `python -m autofix.benchmarks demo`.

The folder lies beside `autofix/` in the source tree and is imported as `autofix.benchmarks`.
"""

if __name__ != "autofix.benchmarks":
    raise ImportError(
        "The benchmarks are no top-level package. Expected the name 'autofix.benchmarks'. "
        f"Received: __name__={__name__!r}. Write `import autofix.benchmarks`, "
        "or run `python -m autofix.benchmarks`.",
        name=__name__,
    )
