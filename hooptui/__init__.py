"""hooptui: a layer-7 access gateway and the terminal screen of the person who watches it."""

from hooptui import form

__version__ = "0.1.0"

form.choose()
