"""How hooptui is built from source: the backend that pip calls. Not used at run time, and knows nothing of hooptui."""
