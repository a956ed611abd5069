# The dashboard leaf: where widgets stand, and the saved queries. What they show is tested in tests/alarms.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
}

variables {
  name              = "acme-ai-jobs-test"
  metrics_namespace = "acme-ai-jobs-test"
  job_types         = ["blog-post", "echo"]
  queues            = { request = "request", request_dlq = "request-dlq", response = "response", response_dlq = "response-dlq" }
  functions         = [{ title = "processor", name = "processor" }, { title = "jobs API", name = "jobs-api" }]
  processor_name    = "processor"
  concurrency_limit = 10
  api               = { name = "api", stage_name = "v1" }
  table_name        = "jobs"
  age_limits        = { oldest_message_seconds = 300, oldest_open_job_seconds = 3600 }
  paging_alarm_arns = ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:page"]
  alarm_arns        = ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:page", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a"]
  log_group_names   = { processor = "/aws/lambda/processor", jobs_api = "/aws/lambda/jobs-api" }
  saved_queries     = true
}

run "dashboard" {
  command = plan

  module {
    source = "../../modules/dashboard"
  }

  # R-M5
  assert {
    condition = { for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.title => [for metric in widget.properties.metrics : metric[1]] if can(regex("queue|DLQ", widget.properties.title)) } == {
      for title in ["Request queue", "Request DLQ", "Response queue", "Response DLQ"] : title => [
        "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed", "ApproximateAgeOfOldestMessage",
      ]
    }
    error_message = "The dashboard does not show depth, in flight, delayed and age of all four queues."
  }
  assert {
    condition = alltrue([
      for title in ["Function processor", "Function jobs API"] :
      contains([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.title], title)
    ])
    error_message = "The dashboard does not show a function."
  }

  assert {
    condition = alltrue([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
      widget.x + widget.width <= 24 && widget.width >= 6
    ])
    error_message = "A widget reaches beyond the dashboard's 24 columns, or is too narrow to read."
  }
  assert {
    condition = length(distinct([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${widget.x} ${widget.y}"
    ])) == length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets)
    error_message = "Two widgets stand in the same place."
  }
  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.title if widget.y == 0
    ] == ["Alarms that page", "Jobs ended", "Oldest job and its limits, s", "Dead-lettered messages"]
    error_message = "The first row must say whether the service is healthy."
  }
  assert {
    condition     = jsonencode([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.alarms if widget.type == "alarm"]) == jsonencode([var.paging_alarm_arns, var.alarm_arns])
    error_message = "The dashboard does not show the alarms that page first, and all of them last."
  }

  assert {
    condition     = toset([for query in aws_cloudwatch_query_definition.this : query.name]) == toset(["acme-ai-jobs-test/job", "acme-ai-jobs-test/user", "acme-ai-jobs-test/slowest", "acme-ai-jobs-test/failures-by-code"])
    error_message = "A saved query is missing."
  }
  assert {
    condition     = aws_cloudwatch_query_definition.this["slowest"].log_group_names == tolist(["/aws/lambda/processor"]) && length(aws_cloudwatch_query_definition.this["job"].log_group_names) == 2
    error_message = "A saved query looks into the wrong logs."
  }
}

run "without_queries_and_types" {
  command = plan

  module {
    source = "../../modules/dashboard"
  }

  variables {
    saved_queries = false
    job_types     = []
  }

  assert {
    condition     = length(aws_cloudwatch_query_definition.this) == 0
    error_message = "There are queries that nobody wants."
  }
  assert {
    condition     = !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "JobType")
    error_message = "There are widgets by job type without job types."
  }
}
