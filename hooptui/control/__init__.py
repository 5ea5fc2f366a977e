"""The Desk, twice: into the gateway of this process (`local`), and over its 0600 unix socket (`server`, `client`)."""
