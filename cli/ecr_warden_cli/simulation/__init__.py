"""What the simulate command reads, asks of ECR, compares and shows."""
