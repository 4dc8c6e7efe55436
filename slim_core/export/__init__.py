"""Take results along: what can be exported of a finished run or a campaign, and the folder that is written.

Public: form (Form, Source), writing (FORMS, forms_of, export).
"""
