"""Model cards: what a model was trained on, how it does on mail that it did not see, what it cannot do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tamis.learning.evaluation import GraymailFigures, SpamFigures
from tamis.learning.model import SpamModel

SPAM_TEXT = """# Model card: antispam

Scores messages in bits of evidence for spam (log2 of odds). Logistic regression on hashed byte
4-grams of subject, display name and the first 2,048 characters of text, and tokens about the
structure; beside it the bits of the rules (docs/rules.md). How it is trained and why:
docs/learning.md. The weights are plain arrays; no text of any message can be read from them, but
whether a rare word was seen might be guessed.

**Use**: as one voice among others, to mark or file; the level is set for few false alarms, not for
catching everything. **Not for**: refusing mail unseen, judging persons, languages or countries.

## Held-out figures

Each corpus was scored by models that had not seen it (leave one corpus out); marked is a score of
{mark:g} or more. Figures of the same model on its own corpora would be far better and say nothing.

| corpus | ham | marked | one ham in 1,000 above | spam | marked | area under ROC |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

Slope before calibration: {slope:.2f} (1.00 = one bit doubles the odds); the level that every
message starts from is {level:.1f} bits.

## Data and limits

Trained on the corpora above, which are not part of this package; each counts by the root of its
size, its ham as much as its spam. Their texts remain their senders'. What they lack, the model
lacks: modern personal mail, ham in other languages than English, the volume of banks and shops. Ham
that was sent to lists is easiest, commercial newsletters are hardest. It sees no Received fields,
no recipients and no reputation. Correct it by `[antispam.weights]`, by sender lists and by each
user's threshold.
"""

GRAYMAIL_TEXT = """# Model card: graymail

Says how likely a wanted message is a newsletter (editorial or commercial mass mail), from the same
features as the antispam model; asked only where header fields do not decide, and counted from
{limit:.2f} on. The classes social, list and none are told by fields alone. What the model alone
says may mark a message, never file it.

## Held-out figures

Each corpus was judged by a model that had not seen it (leave one corpus out).

| corpus | newsletters | found | other ham | taken for newsletters |
| --- | ---: | ---: | ---: | ---: |
{rows}

## Data and limits

Trained on the ham of the corpora above whose class is known, partly by rules that are right in 85
to 94 percent of hand checks. Old newsletters and list mail prevail; receipts and notices of shops
and banks are few. Notes of announcement lists look like newsletters to it.
"""


def write_spam(
    folder: Path, model: SpamModel, figures: Sequence[SpamFigures], *, slope: float, mark: float
) -> None:
    """Write antispam.md and antispam.json beside the model."""
    rows = "\n".join(
        f"| {one.corpus} | {one.ham} | {one.ham_marked} | {_number(one.highest_ham)} | {one.spam} "
        f"| {one.spam_marked} | {_number(one.area)} |"
        for one in figures
    )
    text = SPAM_TEXT.format(mark=mark, rows=rows, slope=slope, level=model.level)
    (folder / "antispam.md").write_text(text, encoding="utf-8")
    _write_json(
        folder / "antispam.json",
        {
            "model": "antispam",
            "mark": mark,
            "slope_before_calibration": round(slope, 3),
            "level": round(model.level, 2),
            "content": {
                "least": round(model.scale * model.least, 2),
                "most": round(model.scale * model.most, 2),
            },
            "rules": {name: round(bits, 2) for name, bits in sorted(model.rules.items())},
            "held_out": [one.as_json() for one in figures],
        },
    )


def write_graymail(folder: Path, figures: Sequence[GraymailFigures], *, limit: float) -> None:
    """Write graymail.md and graymail.json beside the model."""
    rows = "\n".join(
        f"| {one.corpus} | {one.newsletters} | {one.newsletters_found} | {one.others} | {one.others_taken} |"
        for one in figures
    )
    (folder / "graymail.md").write_text(GRAYMAIL_TEXT.format(limit=limit, rows=rows), encoding="utf-8")
    _write_json(
        folder / "graymail.json",
        {"model": "graymail", "limit": limit, "held_out": [one.as_json() for one in figures]},
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _write_json(path: Path, value: Mapping[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
