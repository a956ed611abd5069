# The job-types leaf: the AppConfig document that the processor reads, and how it gets there.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_appconfig_application" {
    defaults = { id = "app1234" }
  }
  mock_resource "aws_appconfig_environment" {
    defaults = { environment_id = "env1234" }
  }
  mock_resource "aws_appconfig_configuration_profile" {
    defaults = { configuration_profile_id = "prf1234" }
  }
  mock_resource "aws_appconfig_hosted_configuration_version" {
    defaults = { version_number = 7 }
  }
  mock_resource "aws_appconfig_deployment_strategy" {
    defaults = { id = "str1234" }
  }
  mock_resource "aws_appconfig_deployment" {
    defaults = { arn = "arn:aws:appconfig:eu-west-1:123456789012:application/app1234/environment/env1234/deployment/1" }
  }
}

variables {
  name          = "config-test"
  environment   = "test"
  strategy_name = "config-test-at-once"
  tags          = { Environment = "test", Team = "jobs" }

  job_types = {
    small = {
      model_id        = "amazon.nova-lite-v1:0"
      prompt          = "Write about {{ topic }}."
      max_tokens      = 500
      timeout_seconds = 60
      input_schema    = "{\"type\": \"object\", \"required\": [\"topic\"], \"properties\": {\"topic\": {\"type\": \"string\"}}}"
    }
    full = {
      model_id        = "eu.amazon.nova-pro-v1:0"
      system_prompt   = "You write."
      prompt          = "Say \"hello\" to {{ name }} & <others>."
      max_tokens      = 1000
      temperature     = 0
      timeout_seconds = 120
      guardrail       = { id = "gr-1", version = "2" }
      input_schema    = "{\"type\": \"object\"}"
    }
  }
}

run "document" {
  command = plan

  module {
    source = "../../modules/job-types"
  }

  # R-J7: what is not given is left out, and a temperature of 0 is given.
  assert {
    condition = jsondecode(output.document).jobTypes == {
      small = {
        modelId        = "amazon.nova-lite-v1:0"
        prompt         = "Write about {{ topic }}."
        maxTokens      = 500
        timeoutSeconds = 60
        inputSchema    = { type = "object", required = ["topic"], properties = { topic = { type = "string" } } }
      }
      full = {
        modelId        = "eu.amazon.nova-pro-v1:0"
        systemPrompt   = "You write."
        prompt         = "Say \"hello\" to {{ name }} & <others>."
        maxTokens      = 1000
        temperature    = 0
        timeoutSeconds = 120
        guardrail      = { id = "gr-1", version = "2" }
        inputSchema    = { type = "object" }
      }
    }
    error_message = "The document does not say what was given: ${output.document}"
  }
  assert {
    condition     = !strcontains(output.document, "null")
    error_message = "For a model no temperature and a temperature of null are different things."
  }
  assert {
    condition     = keys(jsondecode(output.document)) == ["jobTypes", "version"] && can(regex("^[0-9a-f]{12}$", jsondecode(output.document).version))
    error_message = "The document must have a version of 12 hexadecimal digits, and the job types."
  }
  assert {
    condition = (
      aws_appconfig_hosted_configuration_version.this.content == output.document && aws_appconfig_hosted_configuration_version.this.content_type == "application/json" &&
      aws_appconfig_hosted_configuration_version.this.application_id == "app1234" && aws_appconfig_hosted_configuration_version.this.configuration_profile_id == "prf1234"
    )
    error_message = "The document must be the profile's content."
  }
  assert {
    condition     = aws_appconfig_hosted_configuration_version.this.description == "Job types ${jsondecode(output.document).version}"
    error_message = "The console must show which version of the job types this is: it stands on every job's row."
  }

  # The validator refuses a broken document before it is deployed.
  assert {
    condition = [for validator in aws_appconfig_configuration_profile.this.validator : validator.type] == ["JSON_SCHEMA"] && alltrue([
      for validator in aws_appconfig_configuration_profile.this.validator :
      jsondecode(validator.content) == jsondecode(file("${path.module}/document.schema.json")) && length(validator.content) <= 32768
    ])
    error_message = "The profile must have the JSON Schema as its validator, and AppConfig takes at most 32,768 characters."
  }
  assert {
    condition     = jsondecode(one(aws_appconfig_configuration_profile.this.validator).content)["$schema"] == "http://json-schema.org/draft-04/schema#"
    error_message = "AppConfig knows JSON Schema draft-04 only."
  }
  assert {
    condition = alltrue(flatten([
      for type in values(jsondecode(output.document).jobTypes) : [
        for rules in values(jsondecode(one(aws_appconfig_configuration_profile.this.validator).content).properties.jobTypes.patternProperties) : [
          length(setsubtract(keys(type), keys(rules.properties))) == 0,
          length(setsubtract(rules.required, keys(type))) == 0,
        ]
      ]
    ]))
    error_message = "The validator must allow every key that the module writes, and want none that it leaves out."
  }

  assert {
    condition = (
      aws_appconfig_application.this.name == "config-test" && aws_appconfig_environment.this.name == "test" && aws_appconfig_environment.this.application_id == "app1234" &&
      aws_appconfig_configuration_profile.this.name == "job-types" && aws_appconfig_configuration_profile.this.application_id == "app1234" &&
      aws_appconfig_configuration_profile.this.location_uri == "hosted" && aws_appconfig_configuration_profile.this.type == "AWS.Freeform"
    )
    error_message = "The profile job-types must be a hosted one of the application."
  }

  # The predefined AllAtOnce bakes for ten minutes, and refuses a second change in that time.
  assert {
    condition = (
      aws_appconfig_deployment_strategy.at_once.deployment_duration_in_minutes == 0 && aws_appconfig_deployment_strategy.at_once.final_bake_time_in_minutes == 0 &&
      aws_appconfig_deployment_strategy.at_once.growth_factor == 100 && aws_appconfig_deployment_strategy.at_once.replicate_to == "NONE"
    )
    error_message = "The strategy must deploy all at once, without a bake time."
  }
  assert {
    condition     = aws_appconfig_deployment_strategy.at_once.name == "config-test-at-once" && aws_appconfig_deployment.this.deployment_strategy_id == aws_appconfig_deployment_strategy.at_once.id
    error_message = "The deployment must use the module's own strategy."
  }
  assert {
    condition = (
      aws_appconfig_deployment.this.application_id == "app1234" && aws_appconfig_deployment.this.environment_id == "env1234" &&
      aws_appconfig_deployment.this.configuration_profile_id == "prf1234" && tonumber(aws_appconfig_deployment.this.configuration_version) == 7
    )
    error_message = "The deployment must be of the document's newest version."
  }

  # R-Q5
  assert {
    condition = alltrue([
      for tags in [
        aws_appconfig_application.this.tags, aws_appconfig_environment.this.tags, aws_appconfig_configuration_profile.this.tags,
        aws_appconfig_deployment_strategy.at_once.tags, aws_appconfig_deployment.this.tags,
      ] : tags == tomap(var.tags)
    ])
    error_message = "Everything that can carry tags must carry them."
  }

  assert {
    condition = (
      output.application_id == "app1234" && output.environment_id == "env1234" && output.profile_id == "prf1234" &&
      output.deployment_arn == aws_appconfig_deployment.this.arn
    )
    error_message = "The outputs must be the ids that the processor asks with, and the deployment."
  }
}

run "the_same_types_have_the_same_version" {
  command = plan

  module {
    source = "../../modules/job-types"
  }

  # Neither of them is part of the document.
  variables {
    environment = "other"
    tags        = {}
  }

  assert {
    condition     = output.document == run.document.document
    error_message = "The document must depend on the job types alone."
  }
}

# R-J7: jobs note the version that they were made with.
run "a_changed_type_has_another_version" {
  command = plan

  module {
    source = "../../modules/job-types"
  }

  variables {
    profile_name = "prompts"
    job_types = {
      small = {
        model_id        = "amazon.nova-lite-v1:0"
        prompt          = "Write about {{ topic }}!"
        max_tokens      = 500
        timeout_seconds = 60
        input_schema    = "{\"type\": \"object\", \"required\": [\"topic\"], \"properties\": {\"topic\": {\"type\": \"string\"}}}"
      }
      full = {
        model_id        = "eu.amazon.nova-pro-v1:0"
        system_prompt   = "You write."
        prompt          = "Say \"hello\" to {{ name }} & <others>."
        max_tokens      = 1000
        temperature     = 0
        timeout_seconds = 120
        guardrail       = { id = "gr-1", version = "2" }
        input_schema    = "{\"type\": \"object\"}"
      }
    }
  }

  assert {
    condition     = jsondecode(output.document).jobTypes.small.prompt == "Write about {{ topic }}!" && jsondecode(output.document).version != jsondecode(run.document.document).version
    error_message = "A change of one character in a prompt must change the version."
  }
  assert {
    condition     = aws_appconfig_configuration_profile.this.name == "prompts"
    error_message = "The profile must have the given name."
  }
}
