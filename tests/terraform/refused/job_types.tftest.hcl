# A plan that is refused: test_refused_job_types.py reads why. Each job type, and each price, breaks one rule, so that one plan shows all
# messages.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "Z0V5oisvAcrGqaaNmRFRao6uFzgSqQhBvRL/wgkClq0=" }
  }
}

variables {
  environment = "test"
  packages    = { s3 = { bucket = "releases", manifest = "fixtures/packages/manifest.json" } }
}

run "refused" {
  command = plan

  module {
    source = "../../modules/ai-jobs"
  }

  variables {
    job_types = {
      both       = { prompt = "{{ text }}", handler = "acme_jobs.reports:summarize", input_schema = "{}" }
      neither    = { input_schema = "{}" }
      file       = { handler = "reports.py", input_schema = "{}" }
      own-system = { handler = "acme_jobs.reports:summarize", system_prompt = "You write.", input_schema = "{}" }
      no-prompt  = { prompt = " ", input_schema = "{}" }
      no-json    = { prompt = "{{ text }}", input_schema = "{}", output_schema = "object" }
      list       = { prompt = "{{ text }}", input_schema = "{}", output_schema = "{\"type\": \"array\"}" }
      elsewhere  = { prompt = "{{ text }}", input_schema = "{}", output_schema = "{\"$ref\": \"https://example.com/listing.json\"}" }
      deep       = { prompt = "{{ text }}", input_schema = "{}", output_schema = "{\"enum\": ${replace(format("%150s", ""), " ", "[")}${replace(format("%150s", ""), " ", "]")}}" }
      any-output = { prompt = "{{ text }}", input_schema = "{}", output = {} }
      mode       = { prompt = "{{ text }}", input_schema = "{}", output_schema = "{}", output = { mode = "json" } }
      repairs    = { prompt = "{{ text }}", input_schema = "{}", output_schema = "{}", output = { repairs = 4 } }
      fraction   = { prompt = "{{ text }}", input_schema = "{}", output_schema = "{}", output = { repairs = 0.5 } }
      effort     = { prompt = "{{ text }}", input_schema = "{}", effort = "extreme" }
      tier       = { prompt = "{{ text }}", input_schema = "{}", service_tier = "Flex" }
      ttl        = { prompt = "{{ text }}", input_schema = "{}", prompt_cache = { ttl = "10m" } }
      zip        = { prompt = "{{ text }}", input_schema = "{}", attachments = { media_types = ["image/png", "application/zip"] } }
      no-media   = { prompt = "{{ text }}", input_schema = "{}", attachments = { media_types = [] } }
      no-files   = { prompt = "{{ text }}", input_schema = "{}", attachments = { media_types = ["image/png"], max_count = 0 } }
      documents  = { prompt = "{{ text }}", input_schema = "{}", attachments = { media_types = ["application/pdf", "text/csv"], max_count = 6 } }
      large      = { prompt = "{{ text }}", input_schema = "{}", attachments = { media_types = ["image/png"], max_bytes = 25000001 } }
      top-p      = { prompt = "{{ text }}", input_schema = "{}", top_p = 1.1 }
      stops      = { prompt = "{{ text }}", input_schema = "{}", stop_sequences = [for number in range(21) : "stop ${number}"] }
      stop       = { prompt = "{{ text }}", input_schema = "{}", stop_sequences = ["END", ""] }
      fallbacks  = { prompt = "{{ text }}", input_schema = "{}", fallback_model_ids = ["a.a", "a.b", "a.c", "a.d", "a.e", "a.f"] }
      itself     = { prompt = "{{ text }}", input_schema = "{}", fallback_model_ids = ["amazon.nova-lite-v1:0"] }
      twice      = { prompt = "{{ text }}", input_schema = "{}", fallback_model_ids = ["a.a", "a.a"] }
      spaces     = { prompt = "{{ text }}", input_schema = "{}", fallback_model_ids = ["nova pro"] }
      profile    = { prompt = "{{ text }}", input_schema = "{}", inference_profile = true, model_id = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc" }
      fields     = { prompt = "{{ text }}", input_schema = "{}", additional_model_request_fields = "[]" }
      entries    = { prompt = "{{ text }}", input_schema = "{}", request_metadata = { for number in range(17) : "entry ${number}" => "" } }
      entry      = { prompt = "{{ text }}", input_schema = "{}", request_metadata = { team = "growth & sales" } }
    }
    model_prices = {
      "a.read"  = { input = 1, output = 2, cache_read = -0.1 }
      "a.write" = { input = 1, output = 2, cache_write = -0.1 }
      "a.tier"  = { input = 1, output = 2, tiers = { flex = -0.5 } }
      "a.cheap" = { input = 1, output = 2, tiers = { cheap = 0.5 } }
    }
  }
}
