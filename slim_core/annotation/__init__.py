"""People's answers: whom to ask about which images, what they add up to, and how far they reach (METHOD S3 to S5).

Public: candidates, plan (Plan, open_campaign), propagation (expand), answered_space (answered_space, gradcam_of,
curation_data), agreement, convergence, live_effect (effect), answer_import (import_file), answer_export (export),
simulated_annotator (simulate_answers), terminal (save, unanswered, draw_overlays).
"""
