"""The jobs API function: answers the HTTP routes that need the jobs table."""
