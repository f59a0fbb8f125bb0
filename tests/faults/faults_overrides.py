"""Generated overrides that no command may accept: seeded, of every kind of mistake that a keyboard can make."""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Groups = Mapping[str, Mapping[str, Any]]

WRONG_TYPES = ("abc", "[1,2]", "{a: 1}", "1.5.2", "''", "'1'", "0x1G", "none", "12 34", "1_", "--3", "1e", "tru")
SIGNED = ("focus.entropy.weight",)  # where a number below 0 has a meaning
OUT_OF_RANGE = ("-7", "-0.001", "nan", "-inf", "inf", "-1e308")
STRANGE = "éßжщ注意力あア한글עברית🙂\u200b\u202e\u0301\ufeff\u00a0"
CONTROL = "\x01\x07\x08\x0b\x1b\x1f\x7f\x85\u2028\n\r\t"
BROKEN = (
    "{key}='1", '{key}="1', "{key}=[1,2", "{key}=1]", "{key}={{a:1", "{key}={{a:{{b:1}}", "{key}=(", "{key}=1'2",
    "{key}=[[[[", "{key}=}}}}", "{key}=[1,,2]", "{key}={{:}}", "{key}=\\", "{key}='\\'", "{key}=@", "{key}=a:b:{{",
    "{key}==1", "{key}=,", "{key}=1,", "{key}=1,2", "{key}=range(1,3)", "{key}=choice(1,2)", "{key}=sort(1,2)",
    "{key}=shuffle(", "{key}=int(", "{key}=glob(*", "{key}:1", "{key} 1", "{key}", "={key}", "[{key}]=1",
)  # fmt: skip
REFERENCES = (
    "${", "${}", "${{}}", "${no.such}", "${oc.env:ATTNFOCUS_NO_SUCH}", "${oc.env", "${no_such_resolver:1}", "$ {seed}",
    "${.}", "${..}", "${oc.env:}", "${oc.decode:'['}", "${{seed}",
)  # fmt: skip
NOTHING = ("", " ", "=", "==", "=3", "\t", "'", '"', "nonsense", "two words", "@", "[]", "{}", "!", "#", "$", "%", "&")


class Overrides:
    """An endless stream of bad overrides.

    Args:
        config: the composed default configuration, where real keys and their types are looked up.
        groups: the real groups and their choices.
    """

    def __init__(self, seed: int, config: Mapping[str, Any], groups: Groups) -> None:
        self.random = random.Random(seed)
        self.groups = groups
        self.leaves = dict(_leaves(config))
        self.names = {name for key in (*self.leaves, *groups) for name in key.replace("/", ".").split(".")}
        self.numbers = [key for key, value in self.leaves.items() if type(value) in (int, float) and key not in SIGNED]
        self.flags = [key for key, value in self.leaves.items() if type(value) is bool]

    def __iter__(self) -> Iterator[str]:
        kinds: list[Callable[[], str]] = [
            self.mistyped_group, self.mistyped_choice, self.mistyped_key, self.wrong_type, self.out_of_range,
            self.adding, self.broken, self.strange, self.control, self.nested, self.long, self.reference, self.nothing,
        ]  # fmt: skip
        while True:
            for kind in kinds:
                yield kind()

    def typo(self, name: str) -> str:
        """`name` with one to three slips of the finger, never a name that there is."""
        while True:
            letters = list(name)
            for _ in range(self.random.randint(1, 3)):
                place = self.random.randrange(len(letters) + 1)
                slip = self.random.choice(["drop", "double", "swap", "add"])
                if slip == "add" or place == len(letters):
                    letters.insert(place, self.random.choice("abcdefghijklmnopqrstuvwxyz_0123456789"))
                elif slip == "drop":
                    del letters[place]
                elif slip == "double":
                    letters.insert(place, letters[place])
                else:
                    letters[place - 1], letters[place] = letters[place], letters[place - 1]
            found = "".join(letters)
            if found and found not in self.names:
                return found

    def mistyped_group(self) -> str:
        group = self.random.choice(sorted(self.groups))
        return f"{self.typo(group)}={self.random.choice(sorted(self.groups[group]))}"

    def mistyped_choice(self) -> str:
        group = self.random.choice(sorted(self.groups))
        choices = self.groups[group]
        while (found := self.typo(self.random.choice(sorted(choices)))) in choices:
            pass
        return f"{group}={found}"

    def mistyped_key(self) -> str:
        parts = self.key().split(".")
        place = self.random.randrange(len(parts))
        parts[place] = self.typo(parts[place])
        return f"{'.'.join(parts)}={self.random.choice(['1', 'a', 'null', 'true', '0.5'])}"

    def wrong_type(self) -> str:
        return f"{self.random.choice(self.numbers + self.flags)}={self.random.choice(WRONG_TYPES)}"

    def out_of_range(self) -> str:
        return f"{self.random.choice(self.numbers)}={self.random.choice(OUT_OF_RANGE)}"

    def adding(self) -> str:
        sign = self.random.choice(["+", "++", "~"])
        return f"{sign}{self.random.choice([self.key(), 'foo', 'model', 'attention._target_', 'a.b.c'])}=os.getcwd"

    def broken(self) -> str:
        return self.random.choice(BROKEN).format(key=self.random.choice(self.numbers))

    def strange(self) -> str:
        text = "".join(self.random.choices(STRANGE, k=self.random.randint(1, 12)))
        number = self.random.choice(self.numbers)
        return self.random.choice([f"{text}=1", f"{number}{text}=1", f"{number}={text}", f"attention={text}", text])

    def control(self) -> str:
        text = "".join(self.random.choices(CONTROL, k=self.random.randint(1, 12)))
        number = self.random.choice(self.numbers)
        forms = [f"{number}=a{text}b", f"{number}{text}x=1", f"attention=dot{text}x", f"{text}a{text}", f"x{text}=1"]
        return self.random.choice(forms)

    def nested(self) -> str:
        depth = self.random.choice([5, 50, 500, 5000])
        number = self.random.choice(self.numbers)
        forms = [
            "[" * depth, "[" * depth + "]" * depth, "{a:" * depth, "{a:" * depth + "1" + "}" * depth, "${" * depth,
            "${" * depth + "}" * depth, "(" * depth, "int(" * depth + "a" + ")" * depth,
        ]  # fmt: skip
        return f"{number}={self.random.choice(forms)}"

    def long(self) -> str:
        length = self.random.choice([1000, 10_000, 100_000])
        number = self.random.choice(self.numbers)
        forms = [
            f"{'a' * length}=1", f"{number}={'x' * length}", f"{number}=-{'9' * length}", f"attention={'y' * length}",
            f"{'a.' * (length // 2)}b=1", f"{number}=[{'1,' * (length // 10)}1]", "z" * length,
            f"{number}={'- ' * 500}",
        ]  # fmt: skip
        return self.random.choice(forms)

    def reference(self) -> str:
        return f"{self.random.choice(self.numbers)}={self.random.choice(REFERENCES)}"

    def nothing(self) -> str:
        return self.random.choice(NOTHING)

    def key(self) -> str:
        return self.random.choice(sorted(self.leaves))


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        elif name != "_target_":
            yield f"{prefix}{name}", value
