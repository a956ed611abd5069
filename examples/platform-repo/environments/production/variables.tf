variable "manifest" {
  description = "The release that runs here. A rollback is the manifest of the release before."
  type        = string
  default     = "../../releases/manifest-0.1.0.json"
  nullable    = false
}
