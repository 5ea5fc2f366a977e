"""exec, attach and port-forward: the connections that become streams."""
