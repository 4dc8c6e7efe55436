"""People: who they are, what they may see and do, and what they did.

Public: members (Member, Members, Role), sharing (Privacy, Sharing), shares, visibility (the rules, one line a
table), withheld (files of others' private data), activity.
"""
