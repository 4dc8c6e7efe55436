"""The served mode of a team under load: its services stopped, killed and out of disk while twenty people answer."""
