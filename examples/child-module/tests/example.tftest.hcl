# That the example is what it says.

mock_provider "aws" {
  source          = "../../terraform/tests/mocks"
  override_during = plan

  mock_data "aws_iam_session_context" {
    defaults = { issuer_arn = "arn:aws:iam::123456789012:role/terraform" }
  }
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"
  pages_bucket = "example-handbook"
}

run "a_project_is_there_with_its_rights_and_its_cis_identity" {
  command = plan

  assert {
    condition     = keys(output.publishers) == ["handbook"]
    error_message = "The project must be there with its CI's identity."
  }
}
