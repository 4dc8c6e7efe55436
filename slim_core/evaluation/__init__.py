"""What a model is worth: metrics by group, predictions, worst slices, comparison, charts, report (METHOD section 2).

Public: metrics (classification_metrics, WGA), predictions (judgements), slices (slices_of), comparison (rows,
over_seeds), ancestry (Ancestry), charts, report.
"""
