"""Streams over one connection, server side: WebSocket, SPDY/3.1, and SPDY inside WebSocket."""
