# examples/custom-handler: R-A5. Its plan is in plans/examples.tftest.hcl.

mock_provider "aws" {}

run "a_layer_that_is_not_built" {
  command = plan

  module {
    source = "../../examples/custom-handler/acme-jobs"
  }

  variables {
    layer_package = "not-there/layer.zip"
  }

  expect_failures = [var.layer_package]
}
