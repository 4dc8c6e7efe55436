"""What a model is worth: predictions, worst slices, comparison, verdict, charts, report (METHOD section 2).

Public: predictions (predictions, paired, slices_of), comparison (rows, table, over_seeds, Ancestry),
diagnosis (wrong, why), two_models (outcomes, seed_pairs), verdict (verdict),
headlines (headlines), charts, report (collect, render).
"""
