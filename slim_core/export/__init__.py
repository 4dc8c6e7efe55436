"""Take results along: what can be exported of a finished run or a campaign, and the folder that is written.

Public: registry (FORMS, forms_of), form (Form, Source), writing (export).
"""
