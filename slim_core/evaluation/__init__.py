"""What a model is worth: predictions, worst slices, comparison, charts, report (METHOD section 2).

Public: predictions (predictions, paired), slices (slices_of), comparison (rows,
over_seeds), ancestry (Ancestry), headlines (headlines), charts, report.
"""
