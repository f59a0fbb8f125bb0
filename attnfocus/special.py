"""The four special token ids, the same in every vocabulary of the project."""

from typing import Final

PAD: Final = 0  # fills a batch; never attended, never a target
UNK: Final = 1  # what the vocabulary does not hold
BOS: Final = 2  # what a decoder reads before its first token
EOS: Final = 3  # what a decoder writes after its last token

SPECIAL_TOKENS: Final = ("<pad>", "<unk>", "<bos>", "<eos>")  # in the order of their ids
