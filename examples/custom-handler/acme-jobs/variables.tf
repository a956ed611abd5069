variable "layer_package" {
  description = "The path of the layer's zip, which build_layer.py builds."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.layer_package)
    error_message = "layer_package is ${var.layer_package}, and there is no such file. Run python3 acme-jobs/build_layer.py first."
  }
}
