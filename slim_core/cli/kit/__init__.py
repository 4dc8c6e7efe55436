"""What every command is made of: its options, the workbench it computes on, what it prints and how far it is."""
