"""What a job is: the sections of a job file, as frozen models.

The same models check what a user writes and hold what a worker gets. A user may write shorthands (`model:
churn.keras`, `validation: 0.2`); they are spelled out here, so that a *resolved* `Job` has one form, which goes through
JSON (`job.model_dump_json()`, `Job.model_validate_json(text)`) into the run folder, into a worker process, to another
machine. Defaults, `matrix` and `--set` are gone from it: `autofix.jobs.reading` has applied them.

Nothing here imports Keras: whether Keras takes what `compile` and `fit` hold is checked by `autofix.jobs.checking` as
far as that is known without it, and by Keras when the job runs.
"""

import hashlib
import json
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import ConfigDict, Field, JsonValue, StrictBool, StrictFloat, StrictInt, StrictStr

from autofix.jobs.content import code_file, file_hash, is_function

MOST_NAME_BYTES = 200
"""File systems take names of 255 bytes; some are left for suffixes such as `.lock`."""

FORBIDDEN_IN_NAMES = '/\\<>:"|?*'
"""Separators of folders, and what Windows does not take in file names."""

UNHASHED = frozenset({"folder", "timeout_s", "retries", "resources"})
"""Fields of a job that have no influence on its result: when they change, a finished job stays finished."""

NAME_RULE = (
    f"a name of at most {MOST_NAME_BYTES} bytes, without control characters and any of {FORBIDDEN_IN_NAMES}, that "
    "begins with none of '.', '-', '~' or a blank and ends with neither '.' nor a blank"
)


def is_name(text: str) -> bool:
    """Whether a text can name a job, and so the folder of its results.

    Example:

    >>> is_name("churn-units=32"), is_name("../churn"), is_name("")
    (True, False, False)
    """
    return (
        0 < len(text.encode(errors="surrogatepass")) <= MOST_NAME_BYTES
        and text.isprintable()
        and not set(text) & set(FORBIDDEN_IN_NAMES)
        and text[0] not in ".-~ "
        and text[-1] not in ". "
    )


def folder_key(name: str) -> str:
    """What two names share whose folders would be one: some file systems ignore case, or compose accents."""
    return unicodedata.normalize("NFC", name).casefold()


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"Expected {NAME_RULE}")
    return text


Name = Annotated[StrictStr, pydantic.AfterValidator(_name)]
Text = Annotated[StrictStr, Field(min_length=1, max_length=4096)]
Count = Annotated[StrictInt, Field(ge=1)]
Seconds = Annotated[StrictFloat, Field(gt=0)]
Seed = Annotated[StrictInt, Field(ge=0, lt=2**32)]
Label = StrictStr | StrictInt | StrictFloat | StrictBool
LabelKey = Annotated[str, pydantic.BeforeValidator(lambda key: str(key) if isinstance(key, int) else key)]
"""A class as a key: JSON has keys of text only."""

Config = StrictStr | dict[str, JsonValue]
"""A Keras object: its name, or a mapping with `name` and arguments, or Keras' own `class_name` and `config`."""


class Section(pydantic.BaseModel):
    """A mapping of the job file: unknown keys are errors, and nothing is changed once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _leave_out_null(cls, value: Any) -> Any:
        # `fit:` without a value, or a default taken back with `compile: null`.
        return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


class _Named(Section):
    """Something that is read from a file or made by a Python function."""

    file: Text | None = Field(default=None, description="Path, relative to the folder of the job file.")
    function: Text | None = Field(
        default=None, description="`train.py:function` or `package.module:function`. It runs only with --allow-code."
    )
    arguments: dict[str, JsonValue] = Field(default={}, description="Keyword arguments of the function.")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"function": value} if is_function(value) else {"file": value}
        return value

    @pydantic.field_validator("function")
    @classmethod
    def _is_function(cls, value: str | None) -> str | None:
        if value is not None and not is_function(value):
            raise ValueError("Expected `train.py:function` or `package.module:function`")
        return value

    @pydantic.model_validator(mode="after")
    def _arguments_have_a_function(self) -> Self:
        if self.arguments and self.function is None:
            raise ValueError("`arguments` are those of a `function`, and there is none")
        return self

    def paths(self, folder: Path) -> list[Path]:
        """The files that it is made from, as far as they are known without running code."""
        code = code_file(self.function, folder) if self.function else None
        return [*([folder / self.file] if self.file else []), *([code] if code else [])]


class Model(_Named):
    """The network: a `.keras` file, or a function that returns a model, compiled or not."""

    @pydantic.model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if (self.file is None) == (self.function is None):
            raise ValueError("Expected either `file` or `function`")
        return self


class Source(_Named):
    """Rows: a CSV, TSV, Parquet or NPZ file, a pair of `.npy` files (`x`, `y`), or a function that returns arrays."""

    x: Text | None = Field(
        default=None, description="A `.npy` file of inputs, or the name of that array in an NPZ file."
    )
    y: Text | None = Field(
        default=None, description="A `.npy` file of targets, or the name of that array in an NPZ file."
    )
    delimiter: Annotated[StrictStr, Field(min_length=1, max_length=1)] | None = Field(
        default=None, description="Between the columns of a CSV file; a comma unless given."
    )

    def paths(self, folder: Path) -> list[Path]:
        pair = [] if self.file or self.function else [folder / one for one in (self.x, self.y) if one]
        return [*super().paths(folder), *pair]

    def _origins(self) -> int:
        return sum((self.file is not None, self.function is not None, self.file is None and self.x is not None))


class Training(Source):
    """The rows to train on."""

    @pydantic.model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if self._origins() != 1:
            raise ValueError("Expected `file`, `function`, or `x` and `y` of two .npy files")
        if self.file is None and self.function is None and self.y is None:
            raise ValueError("Expected `y` beside `x`: a .npy file each")
        return self


class HeldOut(Source):
    """Rows that are not trained on: of a source of their own, or a share of the training rows."""

    split: Annotated[StrictFloat, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Share of the rows of `train`, drawn by chance; of each class alike."
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _spell_out_share(cls, value: Any) -> Any:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return {"split": value} if is_number else value

    @pydantic.model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if self._origins() + (self.split is not None) != 1:
            raise ValueError("Expected `split`, `file`, `function`, or `x` and `y` of two .npy files")
        return self


class Features(Section):
    """The columns of a table that are inputs."""

    include: tuple[Text, ...] | None = Field(default=None, description="These only; all but the targets unless given.")
    exclude: tuple[Text, ...] = Field(default=(), description="All but these.")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: Any) -> Any:
        return {"include": value} if isinstance(value, (list, tuple)) else value


class Data(Section):
    """The rows: where they come from, what is input and what is target, what is held out."""

    train: Training
    target: tuple[Text, ...] = Field(default=(), description="Target column, or columns, of a table.")
    features: Features = Features()
    categories: dict[str, tuple[Label, ...]] = Field(
        default={},
        description="Columns of text or codes, with all their values: each becomes an input of 0 or 1.",
    )
    task: Literal["auto", "classification", "regression"] = Field(
        default="auto",
        description="Classes are encoded as 0, 1, …; `auto` takes targets of text or true/false for classes.",
    )
    validation: HeldOut | None = Field(
        default=None, description="Rows that Keras validates on, and repairs are proven on."
    )
    test: HeldOut | None = Field(default=None, description="Rows that the finished model is evaluated on, once.")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _spell_out(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"train": value}
        if isinstance(value, dict) and isinstance(value.get("target"), str):
            return {**value, "target": (value["target"],)}
        return value

    @pydantic.model_validator(mode="after")
    def _shares_leave_rows(self) -> Self:
        shares = [one.split for one in (self.validation, self.test) if one is not None and one.split is not None]
        if sum(shares) >= 1:
            raise ValueError(f"The shares of `validation` and `test` are {sum(shares):g} together, and leave no rows")
        return self

    def paths(self, folder: Path) -> list[Path]:
        """The files that the rows are read from, and the code that makes them."""
        return [path for one in (self.train, self.validation, self.test) if one for path in one.paths(folder)]


class Compile(Section):
    """Arguments of `model.compile`, as Keras configs: `adam`, or `{name: adam, learning_rate: 0.01}`."""

    optimizer: Config = "rmsprop"
    loss: Config | tuple[Config, ...] | dict[str, Config] | None = None
    loss_weights: tuple[StrictFloat, ...] | dict[str, StrictFloat] | None = None
    metrics: tuple[JsonValue, ...] | dict[str, JsonValue] | None = None
    weighted_metrics: tuple[JsonValue, ...] | dict[str, JsonValue] | None = None
    run_eagerly: StrictBool = False
    steps_per_execution: Count = 1
    jit_compile: StrictBool | Literal["auto"] = "auto"


class Fit(Section):
    """Arguments of `model.fit`. Data, validation and files are those of the other sections."""

    batch_size: Count | None = None
    epochs: Count = 1
    shuffle: StrictBool = True
    class_weight: dict[LabelKey, Annotated[StrictFloat, Field(ge=0)]] | None = Field(
        default=None, description="Weight of each class, by its label."
    )
    callbacks: tuple[Config, ...] = Field(default=(), description="EarlyStopping, ReduceLROnPlateau, TerminateOnNaN.")
    steps_per_epoch: Count | None = None
    validation_steps: Count | None = None
    validation_batch_size: Count | None = None
    validation_freq: Count = 1


class Autofix(Section):
    """Arguments of `autofix.fit` beyond those of Keras."""

    strategies: tuple[Text, ...] | None = Field(
        default=None, description="Names of strategies; all installed unless given."
    )
    order: Literal["evidence", "ladder", "random"] = "evidence"
    max_trials: Count = 60
    budget_s: Seconds | None = None
    accept: Annotated[StrictFloat, Field(gt=0, le=1)] = 0.98
    seed: Seed | None = None
    on_nonfinite: Literal["raise", "drop"] = "raise"


class Output(Section):
    """What is kept in the job's folder, beside its record, its log and its report."""

    model: StrictBool = Field(default=True, description="The trained model, `model.keras`.")
    history: StrictBool = Field(default=True, description="Loss and metrics by epoch, `history.csv`.")
    html: StrictBool = Field(default=True, description="The report as a page, `report.html`.")


class Resources(Section):
    """What a job asks of a cluster."""

    cpus: Annotated[StrictFloat, Field(ge=0)] = 1
    gpus: Annotated[StrictFloat, Field(ge=0)] = 0


class Settings(Section):
    """What `defaults` and every job may hold; only `model` and `data` have no default."""

    model: Model
    data: Data
    compile: Compile | None = Field(default=None, description="Left out where the model is compiled.")
    fit: Fit = Fit()
    autofix: Autofix = Autofix()
    output: Output = Output()
    seed: Seed = Field(default=0, description="Of initial weights, shuffles and splits.")
    timeout_s: Seconds | None = Field(default=None, description="Seconds after which the job is ended and has failed.")
    retries: Annotated[StrictInt, Field(ge=0)] | None = Field(
        default=None, description="How often the job is tried again when its process dies; --retries unless given."
    )
    resources: Resources = Resources()


class Job(Settings):
    """One training, resolved: everything a worker needs to know.

    Args:
        name: Unique in its file; the name of its folder.
        folder: Absolute path of the folder that holds the job file. Relative paths of the job begin there.

    Example:

    >>> job = Job(name="churn", folder="/data", model="churn.keras", data={"train": "churn.csv", "target": "churned"})
    >>> job.data.train.file, job.fit.epochs
    ('churn.csv', 1)
    >>> Job.model_validate_json(job.model_dump_json()) == job
    True
    """

    name: Name
    folder: Text

    def paths(self) -> list[Path]:
        """All files that the result depends on: data, model, and the code of named functions."""
        return [*self.model.paths(Path(self.folder)), *self.data.paths(Path(self.folder))]

    @property
    def functions(self) -> tuple[str, ...]:
        """The Python functions that the job calls, which --allow-code must allow."""
        sources = (self.model, self.data.train, self.data.validation, self.data.test)
        return tuple(one.function for one in sources if one is not None and one.function is not None)

    def content_hash(self) -> str:
        """SHA-256 of the resolved job and of the content of the files it names: what its result depends on.

        The folder, time limits, retries and resources are left out, and so are modules that a function imports.
        """
        settings = self.model_dump(mode="json", exclude=set(UNHASHED))
        files = [file_hash(path) for path in self.paths()]
        text = json.dumps([settings, files], sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


class JobFile(Section):
    """A job file, read: its jobs in the order of the file, all of them resolved.

    Args:
        version: Of the form of the file.
        name: Of the run folder: the file's name without its suffix.
        path: Where it was read from, absolute.
        jobs: At least one.
    """

    version: Literal[1] = 1
    name: Name
    path: Text
    jobs: tuple[Job, ...]
