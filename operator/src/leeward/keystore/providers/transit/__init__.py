"""Vault keys wrapped by the Transit engine of HashiCorp Vault or OpenBao, over its HTTP API.

``aiohttp`` speaks to it: the usual client library (hvac) is synchronous, and the operator has one
thread. What is used is small: reading a key, encrypt, decrypt, logging in, and renewing a token.

Sources: the HTTP APIs of HashiCorp Vault and of OpenBao (secrets engine transit; auth methods
token, AppRole and Kubernetes). Tested on OpenBao 2.7.
"""
