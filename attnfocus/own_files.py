"""What more than one room knows of a user's own files: how people call columns."""

from typing import Final

# Words, of tables of labelled texts. A first row of such names is used unasked, so names that are also common for other
# columns are not among them.
TEXT_COLUMNS: Final = """
text texts sentence sentences review reviews comment content document headline question query utterance tweet message
body 文本 句子 内容 评论 问题 文章
"""
LABEL_COLUMNS: Final = "label labels class category sentiment polarity rating intent 标签 类别 分类 类 情感"
