"""hooptui: a layer-7 access gateway and the terminal screen of the person who watches it."""

__version__ = "0.1.0"
