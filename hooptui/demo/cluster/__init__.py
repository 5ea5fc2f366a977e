"""A Kubernetes cluster that is not there: an API server with a store, a little controller, and containers that only look like it.

It stands in for a real one in the demo and in the tests. It speaks what kubectl, client-go and the Python client speak (every
verb, discovery, OpenAPI, Tables, protobuf, watches, server-side apply, exec and its kin over WebSocket and SPDY), and answers
as kube-apiserver 1.33 does. What it is not: a cluster. Nothing runs, no program of the machine is ever started by it, and time
passes at once: a Deployment's pods are ready in the request that made it. It knows nothing of the gateway.
"""
