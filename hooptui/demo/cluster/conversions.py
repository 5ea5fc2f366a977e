"""One resource under two versions: how it is stored, and how a version shows it. HorizontalPodAutoscalers alone have two.

Knows objects.
"""

from __future__ import annotations

from hooptui.demo.cluster.kinds import Kind
from hooptui.demo.cluster.objects import Object, dig


def outward(obj: Object, kind: Kind) -> Object:
    """A stored object in the version of the request: kind and apiVersion first, as the server writes them."""
    found = {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        **{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")},
    }
    if kind.plural == "horizontalpodautoscalers" and kind.version == "v1":
        spec = dict(found["spec"])
        for one in spec.pop("metrics", ()):
            if dig(one, "resource", "name") == "cpu":
                spec["targetCPUUtilizationPercentage"] = dig(one, "resource", "target", "averageUtilization")
        found["spec"] = spec
    return found


def inward(obj: Object, kind: Kind) -> Object:
    """An object of a request as it is stored."""
    if kind.plural == "horizontalpodautoscalers":
        obj["apiVersion"] = "autoscaling/v2"
        spec = obj.setdefault("spec", {})
        wanted = spec.pop("targetCPUUtilizationPercentage", None)
        if wanted is not None:
            spec["metrics"] = [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": wanted}},
                }
            ]
        spec.setdefault("minReplicas", 1)
    return obj
