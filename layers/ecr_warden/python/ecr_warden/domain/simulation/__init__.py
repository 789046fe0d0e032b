"""What ECR would do to images by a lifecycle policy, and why."""
