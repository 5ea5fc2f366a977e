"""State that outlives the process: leases, access grants, blocked identities, and what must not be seen twice."""

from hooptui.store.rows import Block
from hooptui.store.sqlite import Store
from hooptui.store.trouble import StoreTrouble

__all__ = ["Block", "Store", "StoreTrouble"]
