"""The processor as it is usually written: Powertools for AWS Lambda (Python), with the utilities that its docs suggest.

It does what a job needs and no more: claim the job (idempotency: a conditional write), call the model, send the result.
Sources: https://docs.powertools.aws.dev/lambda/python/latest/utilities/batch/ (idempotency, parser, tracer, async).
"""
