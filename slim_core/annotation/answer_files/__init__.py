"""Answers of a campaign as files: reading what other tools wrote, checking and keeping it, writing all of it."""
