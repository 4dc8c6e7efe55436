"""The terms of the field as the pages use them: one meaning each, shown where a reader points at a title or a number.

``explain("WGA")`` is what the ``help`` of a widget takes. Numbers take the definition of the metric that owns them.
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
    NO_EVIDENCE,
    WGA,
    WORST_CLASS,
)

TERMS: dict[str, str] = {  # term -> meaning
    "WGA": DEFINITIONS[WGA],
    "average accuracy": DEFINITIONS[AVERAGE],
    "adjusted average": DEFINITIONS[ADJUSTED],
    "gap": DEFINITIONS[GAP],
    "worst-class accuracy": DEFINITIONS[WORST_CLASS],
    "confusion matrix": DEFINITIONS[CONFUSION],
    "IoU": DEFINITIONS[IOU],
    "AIoU": DEFINITIONS[AIOU],
    "attention precision": DEFINITIONS[ATTENTION_PRECISION],
    "coverage": DEFINITIONS[COVERAGE],
    "group": "A class with an attribute, such as *waterbird on land*. Shortcuts lower the accuracy of some groups.",
    "estimated group": "Class x environment cluster, used as a group where attributes are unknown.",
    "attribute": "What a class often occurs with (a place, a gender), which a model may learn instead.",
    "95 % interval": (
        "Wilson's confidence interval of the rate, given the number of images. Two may overlap although the models "
        "differ: the verdict compares them image by image."
    ),
    "reference model": "The first model, trained on all of train. Annotators answer about its attention.",
    "attention map": "Where the model finds evidence for a class (Grad-CAM). Bright areas contribute most.",
    "no evidence": DEFINITIONS[NO_EVIDENCE],
    "class of the map": "The class whose evidence the map shows: the label, the prediction, or another class.",
    "entropy": "Entropy of the prediction in bits: 0 is certain, 1 is an even split between two classes.",
    "loss": "Cross-entropy: minus the logarithm of the probability of the true class.",
    "confidence": "The probability of the predicted class.",
    "attention space": "Each image as a point, close to images with similar content under the attention.",
    "environment": "A cluster of images with similar content outside the attention.",
    "environment space": "Each image as a point, close to images with similar surroundings.",
    "candidate": "An image that annotators are asked about, chosen to represent many others.",
    "campaign": "The candidates of one space and their answers.",
    "answer": "Whether the attention is right: right, wrong, empty (counts as wrong), unsure (not counted).",
    "propagation": "Spreads the answers to neighbouring images in the attention space.",
    "propagated score": "The probability that the attention is right, propagated from the answers.",
    "trusted image": "An image whose propagated score passes the keep rule.",
    "cell": "A class in an environment. A balanced subset takes equally many images of each class there.",
    "budget": "The number of images taken from a cell.",
    "repeat": "A repeated image, because its cell, or a part of it, has fewer images than its budget.",
    "subset": "The small, balanced set of training images for retraining.",
    "retraining": "Training on the subset: all layers, or only the last one.",
    "seed": "The random seed: with the same inputs and on the same kind of processor it gives the same result.",
    "fingerprint": "A hash of the table, not of the pixels: runs with the same fingerprint use the same table.",
}


def explain(*terms: str) -> str:
    """The meaning of each term, as markdown for ``help=``.

    Raises:
        KeyError: a term is not in TERMS.
    """
    if len(terms) == 1:
        return TERMS[terms[0]]
    return "\n\n".join(f"**{term[0].upper()}{term[1:]}.** {TERMS[term]}" for term in terms)
