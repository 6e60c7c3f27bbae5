# What programs find the pipeline by. contract/tests/description.json is what they read; contract/src/description.rs reads it.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

override_resource {
  target          = aws_sqs_queue.triggers
  override_during = plan
  values          = { url = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers" }
}

override_resource {
  target          = aws_sqs_queue.dead_letters
  override_during = plan
  values          = { url = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--triggers-dead" }
}

override_resource {
  target          = module.courier.aws_sqs_queue.deliveries
  override_during = plan
  values          = { url = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--deliveries.fifo" }
}

override_resource {
  target          = module.courier.aws_sqs_queue.dead
  override_during = plan
  values          = { url = "https://sqs.eu-central-1.amazonaws.com/123456789012/iwomp-in-aws--deliveries-dead.fifo" }
}

override_resource {
  target          = module.notifier.aws_sns_topic.reports
  override_during = plan
  values          = { arn = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports" }
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"
  shared_topic = true
}

run "the_description_is_what_the_programs_read" {
  command = plan

  assert {
    condition = jsondecode(aws_ssm_parameter.description.insecure_value) == merge(jsondecode(file("../contract/tests/description.json")), {
      for name in ["launcher", "notifier", "courier"] :
      name => merge(jsondecode(file("../contract/tests/description.json"))[name], { sha256 = filesha256("versions.tf") })
    })
    error_message = "Programs would not find the pipeline: ${aws_ssm_parameter.description.insecure_value}"
  }

  assert {
    condition     = aws_ssm_parameter.description.name == "/iwomp-in-aws/_pipeline" && aws_ssm_parameter.description.type == "String"
    error_message = "contract::parameter::description has the name, and nobody shall need a key to read it."
  }
}

run "the_longest_description_fits_into_a_standard_parameter" {
  command = plan

  variables {
    config_path      = "a2345678901234567890123456789012"
    image_tag        = "sha256:0123456789012345678901234567890123456789012345678901234567890123"
    launcher_zip     = "tests/description.tftest.hcl"
    notifier_zip     = "tests/description.tftest.hcl"
    retry_seconds    = 3600
    max_wait_seconds = 604800
  }

  # With room for what is to come. Only ASCII can stand in it, so that characters are bytes.
  assert {
    condition     = length(aws_ssm_parameter.description.insecure_value) < 3072
    error_message = "${length(aws_ssm_parameter.description.insecure_value)} bytes: SSM takes 4096."
  }
}
