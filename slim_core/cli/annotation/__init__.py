"""What people say: candidates and their answers, environments, drawn shapes, and all of it as files."""
