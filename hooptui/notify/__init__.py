"""Out-of-band notices: that something waits for a person, said where people are. Beside the path: it may fail, and stops nothing."""
