variable "topic_name" {
  description = "Name of the SNS topic that all alarms notify."
  type        = string
  nullable    = false
}

variable "dead_letter_queues" {
  description = "Dead-letter queues to watch: the queue's name, and what a message in it means for the reader of the alarm."
  type = map(object({
    queue_name = string
    meaning    = string
  }))
  nullable = false
}

variable "tags" {
  description = "Tags of the topic and the alarms."
  type        = map(string)
  default     = {}
  nullable    = false
}
