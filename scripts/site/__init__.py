"""The docs site: what `make site` builds from docs/, the modules, and the API's description."""
