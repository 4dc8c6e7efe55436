"""For whoever runs the machines: runs and their queue, members, backups and the disk."""
