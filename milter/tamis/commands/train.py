"""`tamis train`: train the models on labelled mail, and tell how they do on corpora left out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tamis.checks.rules import catalogue
from tamis.commands.options import Subparsers, common, print_json
from tamis.learning import corpus, model, table, training
from tamis.learning.corpus import Sample


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("train", help="train the models", description=__doc__)
    parser.add_argument(
        "corpora",
        nargs="+",
        metavar="CORPUS",
        type=Path,
        help="a .jsonl.xz set, or a folder with ham and spam",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write the models (default: nowhere)"
    )
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line per corpus; 2 where the corpora do not suffice."""
    priors = {name: rule.bits for name, rule in catalogue.RULES.items()}
    try:
        known = table.tabulate(_samples(args.corpora), catalogue.find, priors)
        spam = training.train_spam(known, priors)
        graymail = training.train_graymail(known)
    except (corpus.CorpusError, training.TrainingError) as error:
        print(f"tamis: {error}", file=sys.stderr)
        return 2
    for name in known.names:
        mine = known.of(name)
        reached = spam.held_out[mine] >= training.MARK - 0.05
        isspam = known.spam[mine]
        print_json(
            {
                "corpus": name,
                "ham": int((~isspam).sum()),
                "ham_marked": int(reached[~isspam].sum()),
                "spam": int(isspam.sum()),
                "spam_marked": int(reached[isspam].sum()),
            }
        )
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
        model.write(args.output / "antispam.npz", spam.model)
        model.write(args.output / "graymail.npz", graymail)
    return 0


def _samples(paths: Sequence[Path]) -> Iterator[Sample]:
    for path in paths:
        yield from corpus.read(path)
