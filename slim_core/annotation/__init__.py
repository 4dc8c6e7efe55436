"""People's answers: whom to ask about which images, what they add up to, and how far they reach (METHOD S3 to S5).

Public: candidates, plan (Plan, open_campaign), propagation (expand), answered_space, agreement, convergence,
live_effect (effect), answer_files (reading, checking, writing), simulated_annotator (simulate_answers), attention_of
(gradcam_of, gradcam_of_space), terminal (save, unanswered, draw_overlays).
"""
