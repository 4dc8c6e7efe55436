"""The Activity page: who did what, for admins."""
