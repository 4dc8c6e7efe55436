"""Compare: runs side by side, before and after."""
