# A misspelt field of a project is an error that names it, and the nearest field that there is; so is a value of another kind.
# The texts are shown by local/tests/test_two_pipelines.py.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  image_tag    = "test"
  launcher_zip = "versions.tf" # any file: nothing is uploaded
  notifier_zip = "versions.tf"
}

run "a_misspelt_field_is_an_error" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, requires_commit = true }
    }
  }

  expect_failures = [var.projects]
}

run "a_singular_for_a_plural_is_an_error" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, branch = "main" }
    }
  }

  expect_failures = [var.projects]
}

run "a_field_of_another_tool_is_an_error" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, vpc_config = {} }
    }
  }

  expect_failures = [var.projects]
}

run "a_key_of_the_register_is_no_field" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, gitUrl = "https://git.example/shop.git" }
    }
  }

  expect_failures = [var.projects]
}

run "a_misspelt_field_of_a_publisher_is_an_error" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, publisher = { ci = "github", subject = ["repo:example/shop:ref:refs/heads/main"] } }
    }
  }

  expect_failures = [var.projects]
}

run "a_misspelt_field_of_a_vpc_is_an_error" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", vpc = { vpc_id = "vpc-0a", subnets = ["subnet-0a"], security_group_ids = ["sg-0a"] } }
    }
  }

  expect_failures = [var.projects]
}

run "a_publisher_says_which_ci_it_is_for" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, publisher = { subjects = ["repo:example/shop:ref:refs/heads/main"] } }
    }
  }

  expect_failures = [var.projects]
}

run "a_number_is_a_number" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, timeout_minutes = "an hour" }
    }
  }

  expect_failures = [var.projects]
}

run "a_list_is_a_list" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, branches = "main" }
    }
  }

  expect_failures = [var.projects]
}

run "a_flag_is_true_or_false" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, require_commit = "yes" }
    }
  }

  expect_failures = [var.projects]
}

run "an_object_is_an_object" {
  command = plan

  module {
    source = "./tests/inputs/pipeline"
  }

  variables {
    projects = {
      site = { git_url = "https://git.example/site.git", command = "deploy.sh" }
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = true, publisher = "github" }
    }
  }

  expect_failures = [var.projects]
}

run "what_an_entry_leaves_out_or_sets_to_null_has_its_default" {
  command = plan

  variables {
    projects = {
      shop = { git_url = "https://git.example/shop.git", command = "deploy.sh", own_topic = null, publisher_arns = null, timeout_minutes = null, policy_arns = null, external_register = null, compute_type = null }
      site = { git_url = "https://git.example/site.git", command = "deploy.sh", own_topic = "true", timeout_minutes = "90" }
    }
  }

  assert {
    condition     = { for name, project in local.projects : name => project.own_topic } == { shop = false, site = true }
    error_message = "Null must be as good as nothing, and a text that is a flag must be one."
  }

  assert {
    condition     = { for name, project in module.project : name => project.timeout_minutes } == { shop = 60, site = 90 }
    error_message = "The defaults of modules/project must hold."
  }
}
