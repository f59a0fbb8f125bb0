"""Published sets by name: small files in their form, and the real ones where they are at hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

import attnfocus.data as data
from attnfocus.data.rows import Source
from attnfocus.data.sources.named_labelled import plain_text
from attnfocus.errors import DataError

SmallData = Callable[[dict[str, str | bytes]], Path]


def split_pairs(source: Source, folder: Path) -> dict[str, list[tuple]]:
    raw = source.read(folder, 0)
    return {split: [(row.input, row.target) for row in rows] for split, rows in raw.splits.items()}


def test_multi30k_reads_any_pair_and_strips(small_data: SmallData) -> None:
    stems = {"train": "a", "val": "b", "test_2016_flickr": "c"}
    folder = small_data({f"multi30k/{s}.{x}.gz": f" {x}-{t} \n" for s, t in stems.items() for x in ("de", "en", "fr")})
    assert split_pairs(data.Multi30k(), folder) == {
        "train": [("de-a", "en-a")],
        "valid": [("de-b", "en-b")],
        "test": [("de-c", "en-c")],
    }
    pair = data.Multi30k(source_language="fr", target_language="de")
    assert split_pairs(pair, folder)["train"] == [("fr-a", "de-a")]
    with pytest.raises(ValueError, match="are both en"):
        data.Multi30k(source_language="en")


def test_tatoeba_reads_either_direction(small_data: SmallData) -> None:
    folder = small_data({"tatoeba/cmn-eng.tsv.gz": "Hi.\t嗨。\tCC-BY\nHi.\t你好。\tCC-BY\n"})
    assert split_pairs(data.TatoebaCmn(), folder) == {"train": [("Hi.", "嗨。"), ("Hi.", "你好。")]}
    assert split_pairs(data.TatoebaCmn(source_language="zh"), folder)["train"][1] == ("你好。", "Hi.")


def test_cmudict_joins_variants_and_drops_comments(small_data: SmallData) -> None:
    folder = small_data({"cmudict/cmudict.dict": "a AH0\na(2) EY1\naalen AA1 L AH0 N # place, german\n'bout B AW1 T\n"})
    assert split_pairs(data.CMUDict(), folder)["train"] == [
        ("a", "AH0"),
        ("a", "EY1"),
        ("aalen", "AA1 L AH0 N"),
        ("'bout", "B AW1 T"),
    ]
    assert split_pairs(data.CMUDict(stress=False), folder)["train"][2] == ("aalen", "AA L AH N")


def test_sst_reads_sentences_phrases_and_five_classes(small_data: SmallData) -> None:
    splits = ("train", "dev", "test")
    folder = small_data(
        {f"sst/stsa.binary.{split}.gz": "1 a joy .\n0 1 bad film .\n" for split in splits}
        | {f"sst/stsa.fine.{split}.gz": "2 so so .\n4 a joy !\n" for split in splits}
        | {"sst/glue_sst2_train.tsv.gz": "sentence\tlabel\na phrase \t1\n"}
        | {"sst/glue_sst2_dev.tsv.gz": "sentence\tlabel\nit 's dull \t0\n"}
    )
    sentences = [("a joy .", "positive"), ("1 bad film .", "negative")]
    assert split_pairs(data.SST2(), folder) == {"train": sentences, "valid": sentences, "test": sentences}
    assert split_pairs(data.SST2(train_on="phrases"), folder) == {
        "train": [("a phrase", "positive")],
        "valid": [("it 's dull", "negative")],
        "test": sentences,
    }
    assert split_pairs(data.SST5(), folder)["valid"] == [("so so .", "neutral"), ("a joy !", "very positive")]


def test_trec_and_mr_are_latin_1(small_data: SmallData) -> None:
    folder = small_data(
        {
            "mr_trec/TREC.train.gz": "HUM:ind Who is Jos\xe9 ?\n".encode("latin-1"),
            "mr_trec/TREC.test.gz": "NUM:dist How far ?\n",
            "mr_trec/rt-polarity.pos.gz": "a clich\xe9 , but good . \n".encode("latin-1"),
            "mr_trec/rt-polarity.neg.gz": "silly .\n",
        }
    )
    assert split_pairs(data.TREC(), folder) == {"train": [("Who is José ?", "HUM")], "test": [("How far ?", "NUM")]}
    assert split_pairs(data.TREC(labels="fine"), folder)["test"] == [("How far ?", "NUM:dist")]
    expected = [("silly .", "negative"), ("a cliché , but good .", "positive")]
    assert split_pairs(data.MR(), folder) == {"train": expected}


def test_banking77_keeps_texts_of_several_lines(small_data: SmallData) -> None:
    train = 'text,category\n"Where is\nmy card?",card_arrival\n"A ""top-up"", please",top_up\n'
    folder = small_data({"banking77/train.csv.gz": train, "banking77/test.csv": "text,category\nHi,top_up\n"})
    splits = split_pairs(data.Banking77(), folder)
    assert [label for _, label in splits["train"]] == ["card_arrival", "top_up"]
    assert splits["train"][0][0].split() == ["Where", "is", "my", "card?"]
    assert splits["train"][1][0] == 'A "top-up", please'
    assert splits["test"] == [("Hi", "top_up")]


def test_phrasebank_takes_the_label_after_the_last_at(small_data: SmallData) -> None:
    lines = "Mail a@b.fi \xe4 .@neutral\n1\nNet sales rose .@positive\r\n".encode("latin-1")
    folder = small_data({"phrasebank/Sentences_AllAgree.txt.gz": lines, "phrasebank/Sentences_50Agree.txt": "x@up\n"})
    raw = data.PhraseBank().read(folder, 0)
    assert [(row.input, row.target) for row in raw.splits["train"]] == [
        ("Mail a@b.fi ä .", "neutral"),
        ("Net sales rose .", "positive"),
    ]
    assert raw.notes == ["train: 1 line(s) left out that hold only a number", "CC BY-NC-SA 3.0: for no commercial use"]
    with pytest.raises(DataError, match=r"50Agree.txt:1:1: not a sentence, an @, and one of negative, neutral"):
        data.PhraseBank(agreement="50").read(folder, 0)


def test_ag_news_joins_files_of_different_columns_and_labels(small_data: SmallData) -> None:
    folder = small_data(
        {
            "ag_news/test.csv.gz": '"4","Title","It #39;s  #36;10 for ""A""."\n',
            "ag_news/train_part_10001_desc_only.tsv.gz": "It #39;s over\tSci/Tech\n",
        }
    )
    assert split_pairs(data.AGNews(), folder) == {
        "train": [("It's over", "Sci/Tech")],
        "test": [('It\'s $10 for "A".', "Sci/Tech")],
    }
    with pytest.raises(DataError, match=r"dataset.title=true: .*has no titles"):
        data.AGNews(title=True).read(folder, 0)
    folder = small_data({"ag_news/train.csv": '"2","A win","They won."\n'})
    assert split_pairs(data.AGNews(), folder)["train"] == [("They won.", "Sports")]
    assert split_pairs(data.AGNews(title=True), folder)["train"] == [("A win They won.", "Sports")]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("It #39;s over. hasn #39;t", "It's over. hasn't"),
        ("Dell Inc. &lt;DELL.O&gt;, the", "Dell Inc. <DELL.O>, the"),
        ('Inc. &lt;A HREF="http://x"&gt;SPLS.O&lt;/A&gt;, the', "Inc. SPLS.O , the"),
        ("a second\\team,  #36;5 and \\$7", "a second team, $5 and $7"),
        ("said  quot;no quot; to A  amp; B &amp;amp; C", 'said "no" to A & B & C'),
        ("by 5; then we go; stop", "by 5; then we go; stop"),
    ],
)
def test_html_left_overs_become_the_text_they_stood_for(raw: str, text: str) -> None:
    assert plain_text(raw) == text


def test_thucnews_trains_on_dev_until_train_is_there(small_data: SmallData) -> None:
    files: dict[str, str | bytes] = {
        "thucnews_titles/thucnews_class.txt": "finance\nrealty",
        "thucnews_titles/thucnews_title_dev.txt.gz": "标题\t1\n",
        "thucnews_titles/thucnews_title_test.txt.gz": "题目\t0\n",
    }
    folder = small_data(files)
    assert split_pairs(data.THUCNews(), folder) == {"train": [("标题", "realty")], "test": [("题目", "finance")]}
    folder = small_data({"thucnews_titles/thucnews_title_train.txt": "新闻\t0\n"})
    assert {split: rows[0][0] for split, rows in split_pairs(data.THUCNews(), folder).items()} == {
        "train": "新闻",
        "valid": "标题",
        "test": "题目",
    }


@pytest.mark.parametrize(
    ("source", "files", "place"),
    [
        (data.TREC(), {"mr_trec/TREC.train": "no label\n", "mr_trec/TREC.test": "A:b c\n"}, "TREC.train:1:1"),
        (data.CMUDict(), {"cmudict/cmudict.dict": "a AH0\nlonely\n"}, "cmudict.dict:2:1"),
        (
            data.THUCNews(),
            {
                "thucnews_titles/thucnews_class.txt": "finance\n",
                "thucnews_titles/thucnews_title_dev.txt": "标题\t0\n标题\t7\n",
                "thucnews_titles/thucnews_title_test.txt": "题目\t0\n",
            },
            "thucnews_title_dev.txt:2:4: class '7' is not one of 0",
        ),
    ],
)
def test_damaged_sets_name_the_place_and_the_way_out(
    small_data: SmallData, source: Source, files: dict, place: str
) -> None:
    with pytest.raises(DataError) as caught:
        source.read(small_data(files), 0)
    assert place in str(caught.value)
    assert "undamaged copy" in str(caught.value)


@pytest.mark.parametrize("name", ["TatoebaCmn", "AGNews", "THUCNews", "PhraseBank"])
def test_sets_without_an_address_say_what_to_put_where(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"missing .*\n.*\n.*paths\.data") as caught:
        getattr(data, name)().read(tmp_path, 0)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["Multi30k", "CMUDict", "SST2", "SST5", "TREC", "MR", "Banking77"])
def test_sets_with_an_address_are_not_fetched_against_the_users_will(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"https://raw.githubusercontent.com/.*dataset.download=true"):
        getattr(data, name)(download=False).read(tmp_path, 0)


REAL = [
    (data.Multi30k, {}, "multi30k", {"train": 29000, "valid": 1014, "test": 1000}, None),
    (data.Multi30k, {"target_language": "fr"}, "multi30k", {"train": 29000, "valid": 1014, "test": 1000}, None),
    (data.TatoebaCmn, {}, "tatoeba", {"train": 28447}, None),
    (data.CMUDict, {}, "cmudict", {"train": 135166}, None),
    (data.SST2, {}, "sst", {"train": 6920, "valid": 872, "test": 1821}, 2),
    (data.SST2, {"train_on": "phrases"}, "sst", {"train": 67349, "valid": 872, "test": 1821}, 2),
    (data.SST5, {}, "sst", {"train": 8544, "valid": 1101, "test": 2210}, 5),
    (data.TREC, {}, "mr_trec", {"train": 5452, "test": 500}, 6),
    (data.TREC, {"labels": "fine"}, "mr_trec", {"train": 5452, "test": 500}, 50),
    (data.MR, {}, "mr_trec", {"train": 10662}, 2),
    (data.Banking77, {}, "banking77", {"train": 10003, "test": 3080}, 77),
    (data.PhraseBank, {}, "phrasebank", {"train": 2263}, 3),
    (data.PhraseBank, {"agreement": "50"}, "phrasebank", {"train": 4846}, 3),
    (data.AGNews, {}, "ag_news", {"train": 10001, "test": 7600}, 4),
    (data.THUCNews, {}, "thucnews_titles", {"train": 10000, "test": 10000}, 10),
]


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize(("kind", "options", "folder", "counts", "num_labels"), REAL)
def test_real_sets_have_the_published_counts(
    real_data: Callable[[str], Path], kind: type, options: dict, folder: str, counts: dict, num_labels: int | None
) -> None:
    splits = kind(**options).read(real_data(folder), 0).splits
    assert {split: len(rows) for split, rows in splits.items()} == counts
    for rows in splits.values():
        assert len({row.id for row in rows}) == len(rows)
        assert all(row.input == row.input.strip() != "" and row.target == row.target.strip() != "" for row in rows)
    if num_labels is not None:
        labels = {row.target for row in splits["train"]}
        assert len(labels) == num_labels
        assert {row.target for rows in splits.values() for row in rows} == labels


@pytest.mark.slow
@pytest.mark.real_data
def test_real_sets_have_the_published_unique_inputs(real_data: Callable[[str], Path]) -> None:
    words = {row.input for row in data.CMUDict().read(real_data("cmudict"), 0).splits["train"]}
    assert len(words) == 126052
    assert not [word for word in words if "(" in word or "#" in word]
    sentences = {row.input for row in data.TatoebaCmn().read(real_data("tatoeba"), 0).splits["train"]}
    assert len(sentences) == 27056
