module "packages" {
  source = "../packages"

  directory = var.packages.directory
  s3        = var.packages.s3 == null ? null : { bucket = var.packages.s3.bucket, prefix = var.packages.s3.prefix }
  # A directory may have one.
  manifest = (
    var.packages.s3 == null ? try(file("${var.packages.directory}/manifest.json"), null) :
    local.manifest_is_json ? var.packages.s3.manifest : try(file(var.packages.s3.manifest), null)
  )
  manifest_name = (
    var.packages.s3 == null ? "${var.packages.directory}/manifest.json" :
    "packages.s3.manifest${local.manifest_is_json ? "" : " (${var.packages.s3.manifest})"}"
  )
}

locals {
  manifest_is_json = try(startswith(trimspace(var.packages.s3.manifest), "{"), false)

  # SQS, DynamoDB, and S3 use a customer key on behalf of whoever calls them, and Lambda decrypts the environment with the role.
  key_statements = var.kms_key_arn == null ? [] : [{
    sid        = "UseCustomerKey"
    actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources  = [var.kms_key_arn]
    conditions = {}
  }]

  # The metrics of two environments in one account must not be added up.
  metrics_namespace = "${var.name}-ai-jobs-${var.environment}"

  # The functions count any other name as "other". Lambda's environment holds 4 KB: if there are too many names, all types are
  # counted as one.
  type_names = join(",", sort(keys(local.job_types)))
  metric_variables = {
    POWERTOOLS_METRICS_NAMESPACE = local.metrics_namespace
    AI_JOB_TYPES                 = length(local.type_names) <= 1500 ? local.type_names : ""
  }

  # Where the functions that validate jobs find the job types.
  job_types_variables = {
    AI_JOB_CONFIG_APPLICATION     = module.job_types.application_id
    AI_JOB_CONFIG_ENVIRONMENT     = module.job_types.environment_id
    AI_JOB_CONFIG_PROFILE         = module.job_types.profile_id
    AI_JOB_CONFIG_MAX_AGE_SECONDS = tostring(var.jobs.config_max_age_seconds)
  }
  read_job_types = {
    sid     = "ReadJobTypes"
    actions = ["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"]
    resources = [join("/", [
      "arn:${local.partition}:appconfig:${local.region}:${local.account_id}:application",
      module.job_types.application_id, "environment", module.job_types.environment_id,
      "configuration", module.job_types.profile_id,
    ])]
    conditions = {}
  }

  # Where what a job gets is stored: uploads until a job has them, and what PUT made of them.
  input_prefixes = [local.contract.bucket.inputs_prefix, local.contract.bucket.uploads_prefix]
  tell_missing_inputs = {
    # Without it, S3 answers 403 for an object that does not exist, which would look like a misconfiguration.
    sid        = "TellMissingInputs"
    actions    = ["s3:ListBucket"]
    resources  = [module.bucket.arn]
    conditions = { StringLike = { "s3:prefix" = [for prefix in local.input_prefixes : "${prefix}*"] } }
  }

  # The keys are the ones that the processor reads; what is not given is not there.
  model_prices = {
    for model, price in var.model_prices : model => { for name, value in {
      input      = price.input
      output     = price.output
      cacheRead  = price.cache_read
      cacheWrite = price.cache_write
      tiers      = length(price.tiers) == 0 ? null : price.tiers
    } : name => value if value != null }
  }

  # A limit that is not set is not in the environment at all.
  budget_variables = {
    for name, limit in {
      AI_JOB_DAILY_TOKENS_PER_USER = var.budget.daily_tokens_per_user
      AI_JOB_DAILY_TOKENS_TOTAL    = var.budget.daily_tokens_total
    } : name => tostring(limit) if limit != null
  }
}

module "processor" {
  source = "../function"

  name        = local.names.processor
  description = "Works on AI jobs: request queue -> Bedrock -> response queue."
  handler     = "processor.handler.handler"
  package     = module.packages.zips["processor"]

  timeout_seconds      = var.processor.timeout_seconds
  memory_mb            = var.processor.memory_mb
  reserved_concurrency = var.processor.reserved_concurrency
  layers               = var.processor.layers

  computed_environment_variables = merge(local.job_types_variables, {
    AI_JOB_REQUEST_QUEUE_URL  = module.request_queue.url
    AI_JOB_REQUEST_DLQ_URL    = module.request_queue.dlq_url
    AI_JOB_RESPONSE_QUEUE_URL = module.response_queue.url
  })
  environment_variables = merge(local.budget_variables, local.metric_variables, {
    POWERTOOLS_SERVICE_NAME           = "ai-job-processor"
    POWERTOOLS_LOG_LEVEL              = var.logs.level
    AI_JOB_MODEL_PRICES               = jsonencode(local.model_prices)
    AI_JOB_TABLE_NAME                 = module.store.name
    AI_JOB_BUCKET                     = module.bucket.name
    AI_JOB_VISIBILITY_TIMEOUT_SECONDS = tostring(module.request_queue.visibility_timeout_seconds)
    AI_JOB_MAX_RECEIVE_COUNT          = tostring(module.request_queue.max_receive_count)
    AI_JOB_DEFAULT_DEADLINE_SECONDS   = tostring(var.jobs.default_deadline_seconds)
    AI_JOB_MAX_BACKOFF_SECONDS        = tostring(var.jobs.max_backoff_seconds)
    AI_JOB_MODEL_ACCESS_WAIT_SECONDS  = tostring(var.jobs.model_access_wait_seconds)
    AI_JOB_RETENTION_DAYS             = tostring(var.jobs.retention_days)
  })

  statements = concat(
    [
      {
        sid = "WorkOnRequests"
        actions = [
          "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility",
          # A job that the model throttled returns to the queue as a delayed copy.
          "sqs:SendMessage",
        ]
        resources  = [module.request_queue.arn]
        conditions = {}
      },
      {
        sid        = "SendResultsAndGivenUpJobs"
        actions    = ["sqs:SendMessage"]
        resources  = [module.response_queue.arn, module.request_queue.dlq_arn]
        conditions = {}
      },
      {
        sid = "KeepJobs"
        # GetItem: whether a job that is given up has been cancelled in the meantime.
        actions    = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
        resources  = [module.store.arn]
        conditions = {}
      },
      {
        sid        = "StoreLargeResults"
        actions    = ["s3:PutObject"]
        resources  = ["${module.bucket.arn}/${local.contract.bucket.results_prefix}*"]
        conditions = {}
      },
      {
        # Large inputs and attachments; Bedrock reads the attachments that it is only told the place of with these permissions too.
        sid        = "ReadInputs"
        actions    = ["s3:GetObject"]
        resources  = [for prefix in local.input_prefixes : "${module.bucket.arn}/${prefix}*"]
        conditions = {}
      },
      local.tell_missing_inputs,
      local.read_job_types,
    ],
    local.model_statements,
    local.own_profile_statements,
    local.key_statements,
  )

  queue_trigger = {
    queue_arn               = module.request_queue.arn
    batch_size              = var.processor.batch_size
    batching_window_seconds = var.processor.batching_window_seconds
    maximum_concurrency     = var.processor.maximum_concurrency
    enabled                 = var.processor.enabled
  }

  # A job that the model throttles circulates as delayed copies until its deadline.
  sends_to_own_queue = true

  # The first job must find its type.
  trigger_after = [module.job_types.deployment_arn]

  vpc = var.vpc

  role_name                = local.names.processor_role
  role_path                = var.iam.role_path
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  log_retention_days       = var.logs.retention_days
  kms_key_arn              = var.kms_key_arn
  tags                     = local.tags
}

module "result_handler" {
  source = "../function"

  name        = local.names.result_handler
  description = "Writes the results of AI jobs: response queue -> jobs table."
  handler     = "result_handler.handler.handler"
  package     = module.packages.zips["result_handler"]

  timeout_seconds      = var.result_handler.timeout_seconds
  memory_mb            = var.result_handler.memory_mb
  reserved_concurrency = var.result_handler.reserved_concurrency

  computed_environment_variables = {
    AI_JOB_RESPONSE_QUEUE_URL = module.response_queue.url
    AI_JOB_RESPONSE_DLQ_URL   = module.response_queue.dlq_url
  }
  environment_variables = merge(local.metric_variables, {
    POWERTOOLS_SERVICE_NAME    = "ai-job-result-handler"
    POWERTOOLS_LOG_LEVEL       = var.logs.level
    AI_JOB_TABLE_NAME          = module.store.name
    AI_JOB_BUCKET              = module.bucket.name
    AI_JOB_MAX_BACKOFF_SECONDS = tostring(var.jobs.max_backoff_seconds)
  })

  statements = concat(
    [
      {
        sid = "WorkOnResults"
        actions = [
          "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
          # A result waits out an outage of the table as a delayed copy.
          "sqs:SendMessage",
        ]
        resources  = [module.response_queue.arn]
        conditions = {}
      },
      {
        sid        = "SendGivenUpResults"
        actions    = ["sqs:SendMessage"]
        resources  = [module.response_queue.dlq_arn]
        conditions = {}
      },
      {
        sid        = "WriteResults"
        actions    = ["dynamodb:UpdateItem"]
        resources  = [module.store.arn]
        conditions = {}
      },
    ],
    local.key_statements,
  )

  queue_trigger = {
    queue_arn               = module.response_queue.arn
    batch_size              = var.result_handler.batch_size
    batching_window_seconds = var.result_handler.batching_window_seconds
    maximum_concurrency     = var.result_handler.maximum_concurrency
    enabled                 = var.result_handler.enabled
  }

  # Results circulate as delayed copies while the table is down.
  sends_to_own_queue = true

  vpc = var.vpc

  role_name                = local.names.result_handler_role
  role_path                = var.iam.role_path
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  log_retention_days       = var.logs.retention_days
  kms_key_arn              = var.kms_key_arn
  tags                     = local.tags
}

module "jobs_api" {
  source = "../function"

  name        = local.names.jobs_api
  description = "Answers the HTTP requests: submits, shows, lists, and cancels AI jobs."
  handler     = "jobs_api.handler.handler"
  package     = module.packages.zips["jobs_api"]

  timeout_seconds      = var.jobs_api.timeout_seconds
  memory_mb            = var.jobs_api.memory_mb
  reserved_concurrency = var.jobs_api.reserved_concurrency

  computed_environment_variables = merge(local.job_types_variables, {
    AI_JOB_REQUEST_QUEUE_URL = module.request_queue.url
  })
  environment_variables = merge(local.cors_variables, local.metric_variables, {
    POWERTOOLS_SERVICE_NAME           = "ai-jobs-api"
    POWERTOOLS_LOG_LEVEL              = var.logs.level
    AI_JOB_AUTHORIZATION              = var.api.authorization
    AI_JOB_TABLE_NAME                 = module.store.name
    AI_JOB_BUCKET                     = module.bucket.name
    AI_JOB_VISIBILITY_TIMEOUT_SECONDS = tostring(module.request_queue.visibility_timeout_seconds)
    AI_JOB_DEFAULT_DEADLINE_SECONDS   = tostring(var.jobs.default_deadline_seconds)
    AI_JOB_RETENTION_DAYS             = tostring(var.jobs.retention_days)
    AI_JOB_MAX_WAIT_SECONDS           = tostring(var.jobs_api.max_wait_seconds)
    }, var.jobs_api.max_concurrent_waits == null ? {} : {
    AI_JOB_MAX_CONCURRENT_WAITS = tostring(var.jobs_api.max_concurrent_waits)
  })

  statements = concat(
    [
      {
        sid        = "SubmitReadAndCancelJobs"
        actions    = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
        resources  = [module.store.arn]
        conditions = {}
      },
      {
        sid        = "ListJobs"
        actions    = ["dynamodb:Query"]
        resources  = [module.store.by_user_index_arn]
        conditions = {}
      },
      {
        sid        = "EnqueueJobs"
        actions    = ["sqs:SendMessage"]
        resources  = [module.request_queue.arn]
        conditions = {}
      },
      {
        # Large inputs, the uploads whose forms it signs, and the copies of those that a job has.
        sid        = "StoreInputs"
        actions    = ["s3:PutObject"]
        resources  = [for prefix in local.input_prefixes : "${module.bucket.arn}/${prefix}*"]
        conditions = {}
      },
      {
        sid        = "CheckAndCopyUploads"
        actions    = ["s3:GetObject"]
        resources  = [for prefix in local.input_prefixes : "${module.bucket.arn}/${prefix}*"]
        conditions = {}
      },
      local.tell_missing_inputs,
      {
        # A signed URL can do whatever its signer may do.
        sid        = "SignResultUrls"
        actions    = ["s3:GetObject"]
        resources  = ["${module.bucket.arn}/${local.contract.bucket.results_prefix}*"]
        conditions = {}
      },
      local.read_job_types,
    ],
    local.key_statements,
  )

  vpc = var.vpc

  role_name                = local.names.jobs_api_role
  role_path                = var.iam.role_path
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  log_retention_days       = var.logs.retention_days
  kms_key_arn              = var.kms_key_arn
  tags                     = local.tags
}

module "reconciler" {
  source = "../function"

  name        = local.names.reconciler
  description = "Closes AI jobs that nobody works on anymore: dead-lettered ones, and those long past their deadline."
  handler     = "reconciler.handler.handler"
  package     = module.packages.zips["reconciler"]

  timeout_seconds      = var.reconciler.timeout_seconds
  memory_mb            = var.reconciler.memory_mb
  reserved_concurrency = var.reconciler.reserved_concurrency

  computed_environment_variables = {
    AI_JOB_REQUEST_DLQ_URL  = module.request_queue.dlq_url
    AI_JOB_RESPONSE_DLQ_URL = module.response_queue.dlq_url
  }
  environment_variables = merge(local.metric_variables, {
    POWERTOOLS_SERVICE_NAME = "ai-job-reconciler"
    POWERTOOLS_LOG_LEVEL    = var.logs.level
    AI_JOB_TABLE_NAME       = module.store.name
    AI_JOB_BUCKET           = module.bucket.name
    AI_JOB_RETENTION_DAYS   = tostring(var.jobs.retention_days)
  })

  statements = concat(
    [
      {
        sid = "WorkOnDeadLetters"
        actions = [
          "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
          # What SQS itself moved there is replaced by a copy that says why.
          "sqs:SendMessage",
        ]
        resources  = [module.request_queue.dlq_arn, module.response_queue.dlq_arn]
        conditions = {}
      },
      {
        sid        = "FindOpenJobs"
        actions    = ["dynamodb:Query"]
        resources  = [module.store.open_jobs_index_arn]
        conditions = {}
      },
      {
        sid        = "CloseJobs"
        actions    = ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"]
        resources  = [module.store.arn]
        conditions = {}
      },
    ],
    local.key_statements,
  )

  schedule = {
    name       = local.names.schedule
    expression = "rate(${var.reconciler.interval_minutes} ${var.reconciler.interval_minutes == 1 ? "minute" : "minutes"})"
    role_name  = local.names.schedule_role
    enabled    = var.reconciler.enabled
  }

  vpc = var.vpc

  role_name                = local.names.reconciler_role
  role_path                = var.iam.role_path
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  log_retention_days       = var.logs.retention_days
  kms_key_arn              = var.kms_key_arn
  tags                     = local.tags
}
