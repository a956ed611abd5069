# The packages leaf: what each function runs, by the manifest of a release. What its messages say is in
# refused/packages.tftest.hcl.

variables {
  s3       = { bucket = "releases", prefix = "" }
  manifest = file("fixtures/packages/manifest.json")
}

# R-P5
run "from_a_bucket" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  assert {
    condition = jsonencode(output.zips["processor"]) == jsonencode({
      path = null
      s3 = {
        bucket       = "releases"
        key          = "processor-${filesha256("fixtures/packages/processor.zip")}.zip"
        sha256       = filesha256("fixtures/packages/processor.zip")
        base64sha256 = filebase64sha256("fixtures/packages/processor.zip")
      }
    })
    error_message = "The zip must have the key and the hashes of the manifest."
  }
  assert {
    condition     = keys(output.zips) == ["event_publisher", "jobs_api", "processor", "reconciler", "result_handler"] && output.release == "1.2.3"
    error_message = "There must be a zip for each function, of the manifest's release."
  }
}

# R-P5
run "below_a_prefix" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    s3 = { bucket = "releases", prefix = "/platform/ai-jobs/" }
  }

  assert {
    condition     = startswith(output.zips["jobs_api"].s3.key, "platform/ai-jobs/jobs_api-")
    error_message = "The key must begin with the prefix, with one slash after each of its parts."
  }
}

# R-P3 R-P5
run "from_a_directory" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    directory = "fixtures/packages"
    s3        = null
  }

  assert {
    condition     = jsonencode(output.zips["processor"]) == jsonencode({ path = "fixtures/packages/processor.zip", s3 = null }) && output.release == "1.2.3"
    error_message = "A zip in a directory must be the file there, of the release of the manifest beside it."
  }
}

# R-P3
run "from_a_directory_without_a_manifest" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    directory = "fixtures/packages"
    s3        = null
    manifest  = null
  }

  assert {
    condition     = jsonencode(output.zips["processor"]) == jsonencode({ path = "fixtures/packages/processor.zip", s3 = null }) && output.release == null
    error_message = "Without a manifest, a zip is what it is."
  }
}

# R-P3 R-P1
run "a_directory_without_the_zips" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    directory = "fixtures"
    s3        = null
    manifest  = null
  }

  expect_failures = [output.zips]
}

# R-P5
run "a_zip_that_is_not_the_manifests" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    directory = "fixtures/packages"
    s3        = null
    manifest  = replace(file("fixtures/packages/manifest.json"), filesha256("fixtures/packages/processor.zip"), sha256("another"))
  }

  expect_failures = [output.zips]
}

# R-P5
run "a_bucket_needs_a_manifest" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    manifest = null
  }

  expect_failures = [var.s3]
}

# R-P5
run "no_json" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    manifest = "manifest.json"
  }

  expect_failures = [output.zips]
}

# R-P5
run "not_a_manifest" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    manifest = "{\"name\": \"lodash\"}"
  }

  expect_failures = [output.zips]
}

# R-P5
run "a_manifest_of_another_kind" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    manifest = jsonencode(merge(jsondecode(file("fixtures/packages/manifest.json")), { schema_version = 2 }))
  }

  expect_failures = [output.zips]
}

# R-P5: a release whose functions expect something else of the module.
run "a_manifest_of_another_interface" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    manifest = jsonencode(merge(jsondecode(file("fixtures/packages/manifest.json")), { interface = 99 }))
  }

  expect_failures = [output.zips]
}

# R-P5
run "a_manifest_without_a_function" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    manifest = jsonencode(merge(jsondecode(file("fixtures/packages/manifest.json")), {
      functions = { for name, function in jsondecode(file("fixtures/packages/manifest.json")).functions : name => function if name != "reconciler" }
    }))
  }

  expect_failures = [output.zips]
}

# R-P5
run "a_manifest_with_a_broken_hash" {
  command = plan

  module {
    source = "../../modules/packages"
  }

  variables {
    manifest = replace(file("fixtures/packages/manifest.json"), filesha256("fixtures/packages/processor.zip"), "ebf5")
  }

  expect_failures = [output.zips]
}
