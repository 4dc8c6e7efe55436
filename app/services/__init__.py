"""What pages ask and change without showing anything: reads joined and kept, writes with the role checked."""
