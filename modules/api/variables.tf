variable "name" {
  description = "Name of the REST API."
  type        = string
  nullable    = false
}

variable "stage_name" {
  description = "Name of the stage; the first part of every path."
  type        = string
  default     = "v1"
  nullable    = false
}

variable "authorization" {
  description = "Who may call: AWS_IAM (signed requests of principals with execute-api:Invoke) or NONE."
  type        = string
  default     = "AWS_IAM"
  nullable    = false
}

variable "request_queue" {
  description = "The queue, in this account and region, that POST /jobs sends to."
  type = object({
    name = string
    arn  = string
  })
  nullable = false
}

variable "jobs_function" {
  description = "The function that answers every route but POST /jobs."
  type = object({
    name       = string
    invoke_arn = string
  })
  nullable = false
}

variable "throttling_rate_limit" {
  description = "Requests a second that each method takes."
  type        = number
  default     = 100
  nullable    = false
}

variable "throttling_burst_limit" {
  description = "Requests at once that each method takes."
  type        = number
  default     = 200
  nullable    = false
}

variable "access_logs" {
  description = "Write a JSON access log. Needs the account's API Gateway logging role (aws_api_gateway_account)."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the access log is kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer KMS key of the request queue; null means that it has none."
  type        = string
  default     = null
}

variable "role_name" {
  description = "Name of the role by which the API sends to the queue. IAM names are global: include the region."
  type        = string
  nullable    = false
}

variable "role_path" {
  description = "IAM path of the role."
  type        = string
  default     = "/"
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role; null means none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything that the module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}
