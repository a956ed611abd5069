"""What the queues, the table and the API agree on: messages, rows, errors. No AWS here."""
