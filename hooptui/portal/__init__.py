"""The gateway's small HTTPS listener: logins in a browser, leases for tokens, SSH certificates, health and metrics."""
