"""The main job, shown: what each event caused in the embedded AWS, and whether it was what it should be."""
