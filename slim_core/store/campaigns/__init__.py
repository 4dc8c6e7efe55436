"""Campaigns: what people are asked, who is shown what next, and what they answered.

Public: campaigns (Campaign, Campaigns, Item), assignments (Assignments), leases (Lease), answers (Answers), batch
(AnswerIn), values (the word list of answers), consensus, decisions (Decisions),
annotation_cost (what answering took).
"""
