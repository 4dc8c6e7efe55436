"""The words of the field as the pages use them: one meaning each, shown where a reader points at a title or a number.

``explain("WGA")`` is what the ``help`` of a widget takes. Where a word belongs to a step of the method, it says which:
S0 (reference model) to S10 (retraining), after Xuan, Deng, Lin and Ma, "SLIM: Spuriousness Mitigation with Minimal
Human Annotations", ECCV 2024. Numbers take the definition of the metric that owns them.
"""

from __future__ import annotations

from slim_core.metrics import (
    ADJUSTED,
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    CONFUSION,
    COVERAGE,
    DEFINITIONS,
    GAP,
    IOU,
    WGA,
    WORST_CLASS,
)

# word -> (meaning, step of the method or "")
TERMS: dict[str, tuple[str, str]] = {
    "WGA": (DEFINITIONS[WGA], ""),
    "average accuracy": (DEFINITIONS[AVERAGE], ""),
    "adjusted average": (DEFINITIONS[ADJUSTED], ""),
    "gap": (DEFINITIONS[GAP], ""),
    "worst-class accuracy": (DEFINITIONS[WORST_CLASS], ""),
    "confusion matrix": (DEFINITIONS[CONFUSION], ""),
    "IoU": (DEFINITIONS[IOU], ""),
    "AIoU": (DEFINITIONS[AIOU], ""),
    "attention precision": (DEFINITIONS[ATTENTION_PRECISION], ""),
    "coverage": (DEFINITIONS[COVERAGE], ""),
    "group": (
        "A class together with an attribute, such as *waterbird on land*. A shortcut shows there first.",
        "",
    ),
    "estimated group": ("Class and environment cluster, which stand in for a group where no attribute is known.", ""),
    "attribute": ("What a class is often seen with (a place, a gender), and what a model may learn instead of it.", ""),
    "95 % interval": ("Where the true rate probably lies, given how few images were counted (Wilson's interval).", ""),
    "reference model": ("The first model, trained on all images: its attention is what people judge.", "S0"),
    "attention map": ("Where the model finds evidence for a class (Grad-CAM): bright is what counts for it.", "S1"),
    "no evidence": ("The map is zero everywhere: the model finds nothing for this class in the image.", "S1"),
    "class of the map": (
        "Whose evidence is drawn: the true label's, the predicted class's, or another's.",
        "S1",
    ),
    "entropy": ("How undecided the model is, in bits: 0 is sure; 1 is a coin's toss between two classes.", "S1"),
    "loss": ("Minus the logarithm of the probability given to the true class: 0 is right and sure.", "S1"),
    "confidence": ("The probability that the model gives to the class it predicts.", "S1"),
    "attention space": ("Each image as a point, near those in which the model looks at the same.", "S2"),
    "environment": ("What surrounds the object: images that look alike where the model does not look form one.", "S2"),
    "environment space": ("Each image as a point, near those with the same surroundings.", "S2"),
    "candidate": ("An image people are asked about, chosen so that it speaks for many others.", "S3"),
    "campaign": ("The candidates of one space, and the answers people gave on them.", "S3"),
    "answer": ("Is the attention right? 1 right, 0 wrong, unsure counts as unanswered.", "S4"),
    "propagation": ("An image's score is what its neighbours in the attention space were answered, smoothed.", "S5"),
    "propagated score": ("How likely the attention is right, spread from the answers: 1 is like the right ones.", "S5"),
    "trusted image": ("An image whose propagated score passes the keep rule.", "S6"),
    "cell": ("A class in an environment. A balanced subset takes equally many images from each cell.", "S7"),
    "budget": ("How many images a cell gives to the subset.", "S8"),
    "repeat": ("An image drawn again, since its cell has fewer images than its budget.", "S8"),
    "subset": ("The small, balanced choice of training images the model is trained on again.", "S9"),
    "retraining": ("Training again on the subset: all layers, or the last one alone.", "S10"),
    "seed": ("Everything random follows it: the same seed on the same inputs gives the same result.", ""),
    "fingerprint": ("Sixteen digits of the table's content: runs on the same fingerprint saw the same data.", ""),
}


def explain(*words: str) -> str:
    """The meaning of each word, as markdown for ``help=``.

    Raises:
        KeyError: a word is not in TERMS.
    """
    if len(words) == 1:
        return _meaning(words[0])
    return "\n\n".join(f"**{word[0].upper()}{word[1:]}.** {_meaning(word)}" for word in words)


def _meaning(word: str) -> str:
    text, step = TERMS[word]
    return f"{text} (SLIM, step {step})" if step else text
