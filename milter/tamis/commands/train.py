"""`tamis train`: train the models on labelled mail, and tell how they do on corpora left out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tamis.checks.graymail import MODEL_LIMIT
from tamis.checks.rules import catalogue
from tamis.commands.arguments import Subparsers, common, print_json
from tamis.learning import card, corpus, evaluation, model, table, training
from tamis.learning.corpus import Sample


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("train", help="train the models", description=__doc__)
    parser.add_argument(
        "corpora",
        nargs="+",
        metavar="CORPUS",
        type=Path,
        help="labelled mail: a .jsonl.xz set, or a folder with ham and spam; three or more",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="write models and cards there")
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="NAME", help="leave a corpus of that name aside"
    )
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line per corpus; 2 where the corpora cannot be read or do not suffice."""
    priors = {name: rule.bits for name, rule in catalogue.RULES.items()}
    try:
        known = table.tabulate(_samples(args.corpora, args.exclude), catalogue.find, priors)
        spam = training.train_spam(known, priors)
        graymail = training.train_graymail(known)
    except (corpus.CorpusError, training.TrainingError) as error:
        print(f"tamis: {error}", file=sys.stderr)
        return 2
    spam_figures = tuple(evaluation.spam_figures(known, spam.held_out, mark=training.MARK))
    graymail_figures = tuple(evaluation.graymail_figures(known, graymail.held_out, limit=MODEL_LIMIT))
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
        model.write(args.output / "antispam.npz", spam.model)
        model.write(args.output / "graymail.npz", graymail.model)
        card.write_spam(args.output, spam.model, spam_figures, slope=spam.slope, mark=training.MARK)
        card.write_graymail(args.output, graymail_figures, limit=MODEL_LIMIT)
    if args.json:
        for one in spam_figures:
            print_json({"model": "antispam", **one.as_json()})
        for two in graymail_figures:
            print_json({"model": "graymail", **two.as_json()})
    else:
        _print(spam_figures, graymail_figures)
    return 0


def _samples(paths: Sequence[Path], excluded: Sequence[str]) -> Iterator[Sample]:
    for path in paths:
        yield from (sample for sample in corpus.read(path) if sample.corpus not in excluded)


def _print(spam: Sequence[evaluation.SpamFigures], graymail: Sequence[evaluation.GraymailFigures]) -> None:
    """Print for people."""
    print("Each corpus as judged by models that were not trained on it:")
    for one in spam:
        area = "" if one.area is None else f", area {one.area:.4f}"
        print(
            f"antispam  {one.corpus:<20} ham {one.ham_marked}/{one.ham} marked, "
            f"spam {one.spam_marked}/{one.spam} marked{area}"
        )
    for two in graymail:
        print(
            f"graymail  {two.corpus:<20} newsletters {two.newsletters_found}/{two.newsletters} found, "
            f"{two.others_taken}/{two.others} others taken for one"
        )
