"""The only code that imports boto3: clients, queues, objects, items, and the meaning of AWS's errors."""
