"""Features, corpora, models and training."""

from __future__ import annotations

import json
import lzma
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from tests.mailsets import write_set

from tamis.finding import Graymail
from tamis.learning import corpus, features, model, table, training
from tamis.learning.corpus import CorpusError, Sample
from tamis.learning.model import GraymailModel, Linear, SpamModel
from tamis.message import Envelope, Message, split

NAMES = ("one", "two", "three")


def message(raw: bytes) -> Message:
    fields, body = split(raw)
    return Message(Envelope(), fields, body)


def shouts(given: Message) -> Sequence[str]:
    """Find the one rule of these tests."""
    return ("SHOUTS",) if "!" in given.content.subject else ()


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> table.Table:
    folder = tmp_path_factory.mktemp("sets")
    samples = [sample for name in NAMES for sample in corpus.read(write_set(folder, name))]
    return table.tabulate(samples, shouts, {"SHOUTS": 1.0})


@pytest.fixture(scope="module")
def trained(known: table.Table) -> training.Trained:
    return training.train_spam(known, {"SHOUTS": 1.0})


def test_features_do_not_tell_a_list_its_tag_or_a_year() -> None:
    plain = features.words(message(b"From: Anna <a@example.org>\nSubject: Walks in 2026\n\nAt noon."))
    tagged = features.words(
        message(
            b"From: Anna <a@example.org>\nSubject: Re: [walks] Walks in 1999\n\nAt noon.\n"
            b"_______________________________________________\nwalks mailing list\nhttp://lists.example.org/\n"
        )
    )

    assert plain == tagged == b"walks in 0000 anna at noon."


def test_recipients_and_trace_are_no_features() -> None:
    bare = message(b"From: Anna <a@example.org>\nSubject: Walks\n\nAt noon.")
    traced = message(
        b"Received: from x\nReturn-Path: <a@example.org>\nList-Id: <x>\nX-Mine: y\nTo: Bob <b@example.net>\n"
        b"From: Anna <a@example.org>\nSubject: Walks\n\nAt noon."
    )

    assert features.indices(bare).tolist() == features.indices(traced).tolist()


@given(st.binary(max_size=500))
def test_features_are_ascending_numbers_of_any_bytes(raw: bytes) -> None:
    found = features.indices(message(raw))

    assert (np.diff(found.astype(np.int64)) > 0).all()
    assert found[-1] < features.SIZE


@given(st.text(st.sampled_from("aB \t\r\n\x00\x1c\x1f\u00a0\u2003\u00e9"), max_size=60))
def test_superfluous_blanks_are_no_features(text: str) -> None:
    said = Message(Envelope(), ((b"Content-Type", b"text/plain; charset=utf-8"),), text.encode())

    assert features.words(said) == f"\n\n{' '.join(text.split())}".encode().translate(features.FOLD)


def test_a_long_gap_hides_no_text() -> None:
    gappy = Message(Envelope(), (), b"a" + b" " * (features.MOSTLY + 100) + b"b" * 10)

    assert features.words(gappy) == b"  a bbbbbbbbbb"


def test_features_are_computed_once_for_the_models_that_share_them() -> None:
    latest = features.Latest()
    letter, other = message(b"Subject: Walks\n\nAt noon."), message(b"Subject: Talks\n\nAt nine.")

    first = latest.indices(letter)

    assert latest.indices(letter) is first
    assert latest.indices(other).tolist() == features.indices(other).tolist()
    assert latest.indices(letter).tolist() == first.tolist()


def test_features_remembered_do_not_keep_the_message() -> None:
    latest = features.Latest()
    letter = message(b"Subject: Walks\n\nAt noon.")
    latest.indices(letter)
    watched = weakref.ref(letter)

    del letter

    assert watched() is None


def test_long_inventions_are_not_remembered() -> None:
    before = features._of_kind.cache_info().currsize

    features.indices(message(b"Content-Type: text/x" + b"x" * 300 + b"\n\n"))

    assert features._of_kind.cache_info().currsize == before


def test_numpy_says_what_scikit_learn_says(known: table.Table) -> None:
    learner = LogisticRegression(C=10.0).fit(known.features, known.spam)
    linear = Linear(learner.coef_[0].astype(np.float16), float(learner.intercept_[0]))
    learner.coef_ = linear.weights.astype(np.float64)[None, :]  # what rounding to 16 bits has left
    given = message(
        b"From: Anna <a@example.org>\nSubject: casino bonus\n\nclaim the prize with your budget report"
    )
    row = table.tabulate([Sample(given, True, "x")], shouts, {"SHOUTS": 1.0}).features

    assert linear.bits(given) == pytest.approx(learner.decision_function(row)[0], abs=1e-5)


def test_content_is_limited_both_ways() -> None:
    for bias, expected in ((100.0, 1.0), (-100.0, -4.0)):
        linear = Linear(np.zeros(features.SIZE, np.float16), bias)
        spam = SpamModel(linear, least=-8.0, most=2.0, scale=0.5, level=0.0, rules={})

        assert spam.content(message(b"\n\n")) == expected


def test_model_is_read_as_it_was_written(tmp_path: Path, trained: training.Trained) -> None:
    model.write(tmp_path / "antispam.npz", trained.model)

    read = model.load("antispam", tmp_path)

    given = message(b"Subject: casino\n\nclaim the prize")
    assert read.content(given) == trained.model.content(given)
    assert (read.level, read.rules) == (trained.model.level, trained.model.rules)


def test_graymail_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    linear = Linear(np.ones(features.SIZE, np.float16), -1.0)
    model.write(tmp_path / "graymail.npz", GraymailModel(linear, slope=0.5))

    read = model.load("graymail", tmp_path)

    given = message(b"Subject: x\n\ny")
    assert read.newsletter(given) == GraymailModel(linear, slope=0.5).newsletter(given)


def test_damaged_model_is_a_value_error(tmp_path: Path) -> None:
    (tmp_path / "antispam.npz").write_bytes(b"PK\x03\x04 nothing")

    with pytest.raises(ValueError, match=r"antispam\.npz is damaged"):
        model.load("antispam", tmp_path)


def test_missing_model_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="antispam"):
        model.load("antispam", tmp_path)


def test_same_mail_gives_the_same_octets(
    tmp_path: Path, known: table.Table, trained: training.Trained
) -> None:
    model.write(tmp_path / "first.npz", trained.model)
    model.write(tmp_path / "second.npz", training.train_spam(known, {"SHOUTS": 1.0}).model)

    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_held_out_scores_part_spam_from_ham(known: table.Table, trained: training.Trained) -> None:
    assert trained.held_out[known.spam].min() > trained.held_out[~known.spam].max()


def test_no_ham_of_a_small_corpus_reaches_the_mark(known: table.Table, trained: training.Trained) -> None:
    assert (trained.held_out[~known.spam] < training.MARK - 0.05).all()


def test_rule_that_no_message_met_keeps_its_authors_bits(trained: training.Trained) -> None:
    assert trained.model.rules["SHOUTS"] == pytest.approx(trained.slope * 1.0)


def test_each_kind_weighs_the_same_within_a_corpus(known: table.Table) -> None:
    weights = training.balance(known, np.ones(len(known.spam), np.bool_), known.spam)

    assert weights[known.spam].sum() == pytest.approx(weights[~known.spam].sum())


def test_two_corpora_do_not_suffice(known: table.Table, tmp_path: Path) -> None:
    few = table.tabulate(
        [sample for name in NAMES[:2] for sample in corpus.read(write_set(tmp_path, name, of_each=3))],
        shouts,
        {"SHOUTS": 1.0},
    )

    with pytest.raises(training.TrainingError, match="three corpora"):
        training.train_spam(few, {"SHOUTS": 1.0})


def test_newsletters_are_told_from_other_ham(known: table.Table) -> None:
    held_out = training.train_graymail(known).held_out
    newsletter = np.array([one is Graymail.NEWSLETTER for one in known.graymail])
    other = np.array([one is Graymail.NONE for one in known.graymail])

    assert held_out[newsletter].min() > held_out[other].max()


def test_sets_are_read_with_label_envelope_and_class(tmp_path: Path) -> None:
    first, second, third = list(corpus.read(write_set(tmp_path, "mine", of_each=1)))

    assert (first.spam, first.corpus, first.graymail) == (True, "mine", None)
    assert (second.spam, second.graymail, third.graymail) == (False, Graymail.NONE, Graymail.NEWSLETTER)
    assert first.message.envelope.client_ip == "192.0.2.7"
    assert first.message.envelope.recipients[0].address == "bob@example.net"


def test_folders_are_read_with_single_messages_and_mboxes(tmp_path: Path) -> None:
    for name, content in {
        "ham/1.eml": b"Subject: one\n\nx\n",
        "spam/box": b"From a@b Mon\nSubject: two\n\nx\n\nFrom a@b Mon\nSubject: three\n\ny\n",
        "newsletter/1.eml": b"Subject: four\n\nz\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)

    found = [(one.message.content.subject, one.spam, one.graymail) for one in corpus.read(tmp_path)]

    assert found == [
        ("one", False, None),
        ("four", False, Graymail.NEWSLETTER),
        ("two", True, None),
        ("three", True, None),
    ]


@pytest.mark.parametrize("line", ["{", "[]", '{"label": "maybe"}', '{"label": "ham"}'])
def test_broken_set_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.jsonl.xz"
    path.write_bytes(lzma.compress(line.encode()))

    with pytest.raises(CorpusError, match=r"x\.jsonl\.xz line 1"):
        list(corpus.read(path))


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no messages in ham"):
        list(corpus.read(tmp_path))


def test_split_keeps_folds_and_body() -> None:
    fields, body = split(b"Subject: one\r\n two\r\nX: y\r\n\r\nbody\r\n")

    assert fields == ((b"Subject", b" one\n two"), (b"X", b" y"))
    assert body == b"body\r\n"


def test_shipped_cards_speak_of_the_shipped_models() -> None:
    folder = Path(__file__).parents[1] / "models"
    card = json.loads((folder / "antispam.json").read_text())
    shipped = model.load("antispam")

    assert card["level"] == round(shipped.level, 2)
    assert card["rules"] == {name: round(bits, 2) for name, bits in sorted(shipped.rules.items())}
