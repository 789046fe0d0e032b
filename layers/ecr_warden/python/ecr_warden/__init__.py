"""ECR Warden: one policy for every Amazon ECR repository and image."""
