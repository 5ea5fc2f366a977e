"""The record: journal and recordings, written by `log`, read back by `replay`, proved by `verify`, handed on by `export`."""
