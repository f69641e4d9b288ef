"""The built-in strategies, one file each: what it treats, its search space, its remedy.

The folder lies beside `autofix/` in the source tree and is imported as `autofix.strategies`. Each strategy is
registered as an entry point of the group "autofix.strategies", exactly as those of other distributions are.
"""

if __name__ != "autofix.strategies":
    raise ImportError(
        "The strategies are no top-level package. Expected the name 'autofix.strategies'. "
        f"Received: __name__={__name__!r}. Write `import autofix.strategies`.",
        name=__name__,
    )
