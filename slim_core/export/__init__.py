"""Take results along: what can be exported of a finished run or a campaign, and the folder that is written.

Public: forms (Form, Source), writing (FORMS, forms_of, export).
"""
