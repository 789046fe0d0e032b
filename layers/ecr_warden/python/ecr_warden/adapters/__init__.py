"""Where ECR Warden meets AWS and people: dictionaries become values here."""
