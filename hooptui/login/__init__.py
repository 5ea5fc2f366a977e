"""`hooptui login`: a person or a program gets a lease from a gateway, and the stock clients are told of it.

Runs on the client's machine; knows no gateway's inside, only its HTTP API.
"""
