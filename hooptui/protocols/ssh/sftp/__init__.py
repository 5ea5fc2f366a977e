"""SFTP version 3, judged request by request: wire (bytes to packets), packets, operations, and the guard that stands between."""
