"""What a model got wrong, why, and whether it is better now: three short texts for people who have not read the paper.

Markdown without headings; every number is one that the runs have measured. ``named`` writes a name of the data where it
might mean something to what reads the text.

Public: wrong, why, verdict, better, Verdict, Named.
"""

from slim_core.evaluation.report.story.improvement import Verdict as Verdict
from slim_core.evaluation.report.story.improvement import better as better
from slim_core.evaluation.report.story.improvement import verdict as verdict
from slim_core.evaluation.report.story.mistakes import wrong as wrong
from slim_core.evaluation.report.story.reasons import why as why
from slim_core.evaluation.report.story.thresholds import Named as Named
