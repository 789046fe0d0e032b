"""The account that the usual credentials, profile and AWS_ENDPOINT_URL name."""
