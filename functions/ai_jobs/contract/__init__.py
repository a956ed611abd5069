"""What the queues, the table, and the API agree on: messages, rows, and errors. Nothing here calls AWS."""
