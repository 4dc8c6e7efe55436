"""Images as pages show them: tiles, one opened large, before and after, and on how many attention is scored."""
