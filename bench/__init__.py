"""How fast the service is and what it costs, next to its peers: `make bench` writes docs/performance.md."""
