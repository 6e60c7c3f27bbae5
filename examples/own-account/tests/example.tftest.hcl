# That the example is what it says.

mock_provider "aws" {
  source          = "../../terraform/tests/mocks"
  override_during = plan
}

variables {
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
  image_tag    = "test"

  projects = {
    shop = {
      git_url  = "https://github.com/example/shop.git"
      command  = "deploy.sh"
      subjects = ["repo:example/shop:ref:refs/heads/main"]
      account  = "210987654321"
    }
  }
}

run "a_project_takes_a_role_of_the_other_account_and_holds_nothing_here" {
  command = plan

  assert {
    condition     = keys(output.roles) == ["shop"] && keys(output.publishers) == ["shop"]
    error_message = "The project must be there with its CI's identity."
  }
}
