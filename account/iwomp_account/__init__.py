"""What prepares an AWS account for the pipeline, and what proves there that it keeps its promises."""
