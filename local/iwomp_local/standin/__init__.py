"""What runs inside the ministack process: a CodeBuild that builds, and the corrections that the pipeline needs."""
