"""The token ids that have a meaning of their own, as the models and the decoding know them."""

from typing import Final

PAD: Final = 0  # fills a batch; never attended, never written
UNK: Final = 1
BOS: Final = 2  # what a decoder reads before its first token
EOS: Final = 3  # what a decoder writes after its last token
