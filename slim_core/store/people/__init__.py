"""People: who they are, what they may do, and what they did.

Public: members (Member, Members, Role), activity.
"""
