"""Masks over objects of Kubernetes: Secrets in every representation, fields by path, and the answers as they stream. Knows no socket."""
