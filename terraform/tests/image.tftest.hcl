mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"
}

run "a_tag_cannot_be_moved_and_an_image_is_scanned" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "Tags must be immutable."
  }

  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "Images must be scanned when pushed."
  }
}

run "old_images_go" {
  command = plan

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[0].selection == { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 20 }
    error_message = "The last 20 images must be kept and no more."
  }
}

run "projects_run_the_tagged_image" {
  command = plan

  assert {
    condition     = output.worker_image == "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:test"
    error_message = "Not the image that `make deploy` pushes: ${output.worker_image}"
  }
}

run "a_project_runs_the_target_that_it_names" {
  command = plan

  variables {
    image_tag  = null
    image_tags = { minimal = "small", all = "large", terraform = "unused" }
    projects = {
      site  = { git_url = "https://git.example/site.git", command = "deploy.sh", image_target = "minimal" }
      other = { git_url = "https://git.example/other.git", command = "deploy.sh" }
      own   = { git_url = "https://git.example/own.git", command = "deploy.sh", image = "registry.example/own:1" }
    }
  }

  assert {
    condition = local.image_of_project == {
      site  = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:small"
      other = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws:large"
      own   = "registry.example/own:1"
    }
    error_message = jsonencode(local.image_of_project)
  }

  assert {
    condition     = keys(output.worker_images) == ["all", "minimal", "terraform"] && output.worker_images.minimal == local.image_of_project.site
    error_message = "What was built is told by target: ${jsonencode(output.worker_images)}"
  }

  assert {
    condition     = toset(split(" ", output.image_targets)) == toset(["minimal", "all"])
    error_message = "`make deploy` builds what is in use and no more: ${output.image_targets}"
  }
}

run "what_no_image_was_built_for_is_no_target" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = { site = { git_url = "https://git.example/site.git", command = "deploy.sh", image_target = "cdk" } }
  }

  expect_failures = [var.image_tags]
}

run "there_are_five_targets" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    image_tags = { most = "test" }
  }

  expect_failures = [var.image_tags]
}

run "a_digest_is_taken_as_one" {
  command = plan

  variables {
    image_tag = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = output.worker_image == "123456789012.dkr.ecr.eu-central-1.amazonaws.com/iwomp-in-aws@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    error_message = "A digest must be joined with @: ${output.worker_image}"
  }
}
