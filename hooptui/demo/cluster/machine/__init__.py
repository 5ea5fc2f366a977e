"""What runs in the containers: files in memory, a few programs in Python, a small shell, a terminal. No process is ever started."""
