"""Kubernetes: every request of kubectl and its kin, judged one by one."""
