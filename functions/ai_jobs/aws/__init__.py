"""The only code that touches boto3: clients, queues, objects, and what its errors mean."""
