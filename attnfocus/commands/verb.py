"""What a verb says of itself: it stands as `VERB` in the first file of the verb's room, which imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NO_FLAGS: Mapping[str, "Flag"] = MappingProxyType({})


@dataclass(frozen=True)
class Flag:
    """A flag of one verb: what it stands for, and its line of help."""

    override: str
    help: str


@dataclass(frozen=True, kw_only=True)
class Verb:
    """Facts for the command line. The verb's summary and keys are in `configs/VERB.yaml`, where help reads them.

    Attributes:
        command: module with `run(values, overrides) -> exit code`, loaded when the verb is run; empty: the same module.
        config: dotted name of the dataclass of its keys. Values are then checked against the tables of options before
            `command` is loaded. Empty: `run` checks them.
        check: dotted name of a function of the values that checks classes of the user's own too, and may load torch.
        examples: whole command lines.
        usage: what follows the verb.
        bare: the list that arguments without a key belong to.
        flags: flags of its own.
        sweeps: whether `-m` runs it once for each combination of values.
        named_groups: whose choices its runs are known by; `choices` among its values then has their names.
        run_key: the key that names a run: its path, `latest`, or a part of its name.
        idle_keys: that help leaves out: it has no use for them, as its commands are those of `train`, or they are told
            at the end of what they are for, as `sweep.resume` is.
        needs_config_dir: whether `config_dir` among its values is the folder of the user's own groups.
    """

    command: str = ""
    config: str = ""
    check: str = ""
    examples: tuple[str, ...] = ()
    usage: str = "key=value ..."
    bare: str | None = None
    flags: Mapping[str, Flag] = field(default_factory=lambda: NO_FLAGS)
    sweeps: bool = False
    named_groups: tuple[str, ...] = ()
    run_key: str = ""
    idle_keys: tuple[str, ...] = ()
    needs_config_dir: bool = False
