module "alarms" {
  source = "../alarms"

  topic_name = local.names.alarm_topic

  dead_letter_queues = {
    request = {
      queue_name = module.request_queue.dlq_name
      meaning    = "jobs that were given up. Each carries its reason, or was received too often; redrive it once the cause is gone."
    }
    response = {
      queue_name = module.response_queue.dlq_name
      meaning    = "results that could not be written to the jobs table. Redrive them once the cause is gone."
    }
  }

  tags = local.tags
}
